/* Command lines: a table of options per command, and the environment. */
#ifndef TVK_CLI_ARGS_H
#define TVK_CLI_ARGS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum arg_kind {
    ARG_END = 0, /* ends a table */
    ARG_FLAG,    /* bool */
    ARG_COUNT,   /* uint32_t, one more each time it is given */
    ARG_TEXT,    /* const char * */
    ARG_U32,     /* uint32_t */
    ARG_I32,     /* int32_t */
    ARG_U64,     /* uint64_t */
    ARG_F32,     /* float */
    ARG_INCLUDE  /* target: another table */
} arg_kind;

typedef struct arg_option {
    arg_kind kind;
    const char *names; /* "-n, --predict": the names, separated by ", " */
    const char *value; /* "N" in the help text; NULL for flags */
    void *target;
    const char *help;
    double min, max; /* of numbers; both 0: any */
    bool *given;     /* NULL, or set when the option stands on the command line */
} arg_option;

typedef struct arg_command {
    const char *name;
    const char *usage;   /* what follows "ternvk name " */
    const char *summary; /* one line */
    const arg_option *options;
    const char **positional; /* where words that are no options go */
    int positional_min, positional_max;
} arg_command;

/* Reads argv (after the command's name). Returns -1 to go on, else the exit status: 0 after -h,
 * 2 after a line on stderr that says what was expected. */
int args_parse(const arg_command *command, int argc, char **argv);

/* The only reader of the environment. Strings are NULL when not set; they live as long as the
 * process. */
typedef struct arg_environment {
    const char *device; /* TERNVK_DEVICE: as --device */
    const char *models; /* TERNVK_MODELS: folder of the bundled model */
    const char *cache;  /* folder for what can be made again; NULL: there is none */
    bool plain;         /* NO_COLOR, or TERM=dumb: no escape sequences */
} arg_environment;
const arg_environment *args_environment(void);

#endif
