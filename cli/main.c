#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "out.h"
#include "platform.h"

static const struct {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"run", "write text that continues a prompt", cmd_run},
    {"chat", "talk with a model", cmd_chat},
    {"devices", "Vulkan devices, what they can do and which kernel variants they get", cmd_devices},
    {"inspect", "what is in a model file, and what ternvk does with it", cmd_inspect},
    {"convert", "make a GGUF file of a model in another form", cmd_convert},
    {"tokenize", "token ids of a text", cmd_tokenize},
    {"logits", "logits of given tokens as a NumPy file", cmd_logits},
    {"bench", "tokens a second of a model on a device", cmd_bench},
    {"perplexity", "how well a model predicts a text", cmd_perplexity},
    {"selftest", "check every kernel variant of a device against the CPU reference", cmd_selftest},
    {"kernels", "check and time the kernels of a device", cmd_kernels},
};
#define COMMAND_COUNT (sizeof commands / sizeof *commands)

static void print_help(FILE *to)
{
    fputs("ternvk: ternary language models on any GPU with a Vulkan driver\n\n"
          "usage: ternvk COMMAND [OPTIONS]     ternvk COMMAND -h     ternvk --version\n\n",
          to);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
}

/* Results that did not get out, on a full disk say, are a failure. */
static int written(int status)
{
    bool lost = fflush(stdout) != 0;
    if (!lost && !ferror(stdout)) return status;
    out_error("not all of the output could be written%s%s", lost ? ": " : "",
              lost ? strerror(errno) : "");
    return status ? status : 1;
}

int main(int argc, char **argv)
{
    platform_start(&argc, &argv);
    if (argc < 2) {
        print_help(stderr);
        return 2;
    }
    if (!strcmp(argv[1], "--version")) {
        printf("ternvk %s\n", tvk_version());
        return 0;
    }
    if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help")) {
        print_help(stdout);
        return 0;
    }
    if (!strcmp(argv[1], "--list-devices")) return written(cmd_devices(0, NULL));
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(argv[1], commands[i].name) != 0) continue;
        return written(commands[i].run(argc - 2, argv + 2));
    }
    out_error("unknown command '%s' (ternvk -h)", argv[1]);
    return 2;
}
