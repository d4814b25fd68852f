/* Options about drafts that the commands which write text share, and what came of them. */
#ifndef TVK_CLI_DRAFTS_H
#define TVK_CLI_DRAFTS_H

#include <stdio.h>

#include "args.h"
#include "ternvk/session.h"

/* For ARG_INCLUDE; they write to what drafts_apply reads. */
extern const arg_option drafts_options[];

/* False after a line that says what was expected; before anything is opened. */
bool drafts_check(void);
/* Tells the session. Returns an exit status. */
int drafts_apply(tvk_session *session);
/* " | drafts: 30 of 52 tokens accepted in 14 steps" where drafts were asked for. */
void drafts_print(FILE *to, const tvk_session *session);

#endif
