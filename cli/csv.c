#include "csv.h"

#include <stdio.h>
#include <stdlib.h>

void csv_row(json_t *o, bool head)
{
    const char *key, *comma = "";
    json_t *value;
    if (head) {
        json_object_foreach(o, key, value)
        {
            printf("%s%s", comma, key);
            comma = ",";
        }
        putchar('\n');
        comma = "";
    }
    json_object_foreach(o, key, value)
    {
        char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY);
        printf("%s\"", comma);
        for (const char *c = text ? text : json_string_value(value); c && *c; c++) {
            if (*c == '"') putchar('"');
            putchar(*c);
        }
        putchar('"');
        free(text);
        comma = ",";
    }
    putchar('\n');
}
