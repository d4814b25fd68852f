/* --stats: zeros per linear, active parameters and bytes per token as a table. */
#ifndef TVK_CLI_STATS_H
#define TVK_CLI_STATS_H

#include <stdio.h>

#include "ternvk/model.h"

/* What a model counted since its last reset; position: see tvk_model_stats_sum(). Prints what
 * failed and returns the exit status. */
int stats_take(tvk_model *model, uint32_t position, tvk_stats *out);
/* stats_take() as a table in markdown. */
int stats_print(FILE *to, tvk_model *model, uint32_t position);
/* Head of the table, and a row of it. */
void stats_head(FILE *to, const char *first);
void stats_row(FILE *to, const char *first, const tvk_stats *s);

#endif
