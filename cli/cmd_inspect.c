#include <string.h>

#include "commands.h"
#include "inspect.h"
#include "out.h"

uint64_t inspect_kv_bytes(const inspection *i, tvk_kv_type type, uint64_t *a_position)
{
    tvk_model_params params = *i->params;
    tvk_model_info info;
    tvk_error err;
    params.kv_k = params.kv_v = type;
    *a_position = 0;
    if (tvk_model_describe(tvk_file_source(i->file), &params, &info, &err) != TVK_OK) return 0;
    *a_position = info.kv_bytes_per_position;
    return info.kv_bytes_per_position * info.context;
}

uint64_t inspect_needed(const inspection *i)
{
    const tvk_model_info *m = &i->model;
    return m->weight_bytes + m->kv_bytes_per_position * m->context + m->scratch_bytes;
}

/* A device is worth a line, but not needed: unless one was asked for. */
static int look_at_device(engine *e, inspection *i)
{
    tvk_device_params params;
    int status = engine_device_params(e, &params);
    if (status) return status;
    if (tvk_device_create(&params, &e->device, &i->device_error) == TVK_OK) {
        i->device = *tvk_device_get_info(e->device);
        i->device_error.status = TVK_OK;
        return 0;
    }
    return engine_given.device || engine_given.clamps ? out_failed(&i->device_error) : 0;
}

static int inspect(engine *e, const tvk_model_params *params, bool json)
{
    inspection i = {.path = engine_given.model ? engine_given.model : "the bundled model",
                    .file = e->file,
                    .tokenizer = e->tokenizer,
                    .tokenizer_why = e->tokenizer_error.text,
                    .params = params};
    int status = look_at_device(e, &i);
    if (status) return status;
    if (e->tokenizer)
        tvk_chat_choose(e->file, e->tokenizer, NULL, &i.chat, &i.chat_why, &i.chat_error);
    i.model_error.status =
        tvk_model_describe(tvk_file_source(e->file), params, &i.model, &i.model_error);
    if (json)
        status = inspect_print_json(&i);
    else
        inspect_print(&i);
    if (i.model_error.status != TVK_OK) return out_failed(&i.model_error);
    return status;
}

int cmd_inspect(int argc, char **argv)
{
    const char *path = NULL, *format = "text";
    const arg_option options[] = {
        {ARG_TEXT, "-o, --output", "text|json", &format, "form of the output", 0, 0, NULL},
        {ARG_INCLUDE, NULL, NULL, (void *)engine_model_options, NULL, 0, 0, NULL},
        {ARG_END, NULL, NULL, NULL, NULL, 0, 0, NULL}};
    const arg_command command = {"inspect",
                                 "[FILE] [-c CTX] [-o json]",
                                 "metadata, tensors, memory, and what ternvk does with the file",
                                 options,
                                 &path,
                                 0,
                                 1};
    engine e = {0};
    tvk_model_params params;
    int status = args_parse(&command, argc, argv);
    if (status >= 0) return status;
    if (engine_given.list_devices) return cmd_devices(0, NULL);
    if (strcmp(format, "text") != 0 && strcmp(format, "json") != 0) {
        out_error("-o: text or json expected, '%s' found", format);
        return 2;
    }
    if (path) engine_given.model = path;
    status = engine_model_params(&params, TVK_KV_F16);
    if (!status) status = engine_open_file(&e);
    if (!status) status = inspect(&e, &params, !strcmp(format, "json"));
    engine_close(&e);
    return status;
}
