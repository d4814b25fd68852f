/* JSON objects of the same keys as lines of CSV. */
#ifndef TVK_CLI_CSV_H
#define TVK_CLI_CSV_H

#include <jansson.h>
#include <stdbool.h>

/* To stdout. head: the keys stand before it. */
void csv_row(json_t *object, bool head);

#endif
