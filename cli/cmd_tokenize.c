#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "engine.h"
#include "out.h"
#include "prompt.h"

int cmd_tokenize(int argc, char **argv)
{
    prompt_source prompt = {0};
    bool no_bos = false;
    const arg_option options[] = {
        {ARG_TEXT, "-p, --prompt", "TEXT", &prompt.text, "the text", 0, 0, NULL},
        {ARG_TEXT, "-f, --file", "FILE", &prompt.file, "read the text from a file", 0, 0, NULL},
        {ARG_FLAG, "--no-bos", NULL, &no_bos, "without the tokens that the file adds", 0, 0, NULL},
        {ARG_INCLUDE, NULL, NULL, (void *)engine_file_options, NULL, 0, 0, NULL},
        {ARG_END, NULL, NULL, NULL, NULL, 0, 0, NULL}};
    const arg_command command = {"tokenize",
                                 "[-m FILE] [TEXT | -p TEXT | -f FILE]",
                                 "token ids of a text, one line",
                                 options,
                                 &prompt.word,
                                 0,
                                 1};
    engine e = {0};
    int32_t *ids = NULL;
    uint32_t count = 0;
    tvk_error err;
    int status = args_parse(&command, argc, argv);
    if (status >= 0) return status;
    status = prompt_read(&prompt);
    if (!status) status = engine_open_file(&e);
    if (!status && !e.tokenizer) status = out_failed(&e.tokenizer_error);
    if (!status && tvk_tokenize(e.tokenizer, prompt.data, prompt.bytes, !no_bos, true, &ids, &count,
                                &err) != TVK_OK)
        status = out_failed(&err);
    if (!status) {
        for (uint32_t i = 0; i < count; i++) printf(i ? " %d" : "%d", ids[i]);
        putchar('\n');
    }
    free(ids);
    prompt_free(&prompt);
    engine_close(&e);
    return status;
}
