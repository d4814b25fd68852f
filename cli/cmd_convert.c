#include "commands.h"
#include "engine.h"
#include "interrupt.h"
#include "out.h"
#include "progress.h"

int cmd_convert(int argc, char **argv)
{
    const char *paths[2] = {NULL, NULL};
    uint32_t verbose = 1; /* what is lost or missing is information */
    tvk_convert_params params = {0};
    const arg_option options[] = {
        {ARG_TEXT, "--type", "TYPE", &params.type,
         "of the linear layers: i2_s, tq2_0, tq1_0, f16, f32 (else lossless)", 0, 0, NULL},
        {ARG_TEXT, "--embedding-type", "TYPE", &params.embedding_type,
         "of embedding and head: as-is, f16, f32, q8_0, q6_k (as-is)", 0, 0, NULL},
        {ARG_TEXT, "--tokenizer", "FILE", &params.tokenizer,
         "tokenizer.json, tokenizer.model, or tokenizer.bin of llama2.c", 0, 0, NULL},
        {ARG_FLAG, "--overwrite", NULL, &params.overwrite, "replace OUT when it exists", 0, 0,
         NULL},
        {ARG_COUNT, "-v, --verbose", NULL, &verbose, "say more", 0, 0, NULL},
        {ARG_END, NULL, NULL, NULL, NULL, 0, 0, NULL}};
    const arg_command command = {
        "convert",
        "IN OUT.gguf [OPTIONS]",
        "make a GGUF file of a Hugging Face folder, a llama2.c checkpoint or a "
        "GGUF file",
        options,
        paths,
        2,
        2};
    tvk_error err;
    int status = args_parse(&command, argc, argv);
    if (status >= 0) return status;
    interrupt_catch();
    params.log = out_log(verbose);
    params.progress = progress_bar();
    return tvk_convert(paths[0], paths[1], &params, &err) == TVK_OK ? 0 : out_failed(&err);
}
