#include "drafts.h"

#include <inttypes.h>
#include <string.h>

#include "out.h"

static const char *kind;
static tvk_draft_params given;

const arg_option drafts_options[] = {
    {ARG_TEXT, "--draft", "none|lookup", &kind,
     "guess what comes next from the text so far and verify it in one step: the same text, faster "
     "where it repeats itself (none)",
     0, 0, NULL},
    {ARG_U32, "--draft-max, --draft-n", "N", &given.max, "tokens of a draft at most (15)", 1, 64,
     NULL},
    {ARG_U32, "--draft-min, --draft-n-min", "N", &given.min, "shorter drafts are not tried (1)", 0,
     64, NULL},
    {ARG_END, NULL, NULL, NULL, NULL, 0, 0, NULL}};

bool drafts_check(void)
{
    if (kind && strcmp(kind, "none") != 0 && strcmp(kind, "lookup") != 0) {
        out_error("--draft: none or lookup expected, '%s' found", kind);
        return false;
    }
    given.kind = kind && !strcmp(kind, "lookup") ? TVK_DRAFT_LOOKUP : TVK_DRAFT_NONE;
    if (given.max && given.min > given.max) {
        out_error("--draft-min: at most --draft-max expected, %u over %u found", given.min,
                  given.max);
        return false;
    }
    return true;
}

int drafts_apply(tvk_session *session)
{
    tvk_error err;
    return tvk_session_set_draft(session, &given, &err) == TVK_OK ? 0 : out_failed(&err);
}

void drafts_print(FILE *to, const tvk_session *session)
{
    tvk_draft_stats s;
    if (given.kind == TVK_DRAFT_NONE) return;
    tvk_session_draft_stats(session, &s);
    fprintf(to, " | drafts: %" PRIu64 " of %" PRIu64 " tokens accepted in %" PRIu64 " steps",
            s.accepted, s.drafted, s.steps);
}
