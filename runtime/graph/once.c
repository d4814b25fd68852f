#include "graph/once.h"

tvk_status tvk_once_dispatch(tvk_device *device, const tvk_dispatch_list *list, uint64_t *ticket,
                             tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_commands *commands = NULL;
    TVK_TRY(tvk_commands_create(device, list->count, list->count * TVK_MAX_BINDINGS, 0, "once",
                                &commands, err));
    TVK_TRY(tvk_commands_begin(commands, err));
    for (uint32_t i = 0; i < list->count; i++) {
        const tvk_dispatch *d = &list->items[i];
        if (i > 0) tvk_commands_barrier(commands, TVK_BARRIER_COMPUTE);
        TVK_TRY(tvk_commands_dispatch(commands, d->program, d->bindings, d->params, d->groups.value,
                                      err));
    }
    tvk_commands_barrier(commands, TVK_BARRIER_HOST);
    TVK_TRY(tvk_commands_end(commands, err));
    TVK_TRY(tvk_gpu_submit(device, &commands, 1, ticket, err));
fail:
    tvk_commands_destroy(&commands);
    return st;
}

tvk_status tvk_once_copy(tvk_device *device, tvk_span src, tvk_span dst, uint64_t *ticket,
                         tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_commands *commands = NULL;
    TVK_TRY(tvk_commands_create(device, 1, 1, 0, "copy", &commands, err));
    TVK_TRY(tvk_commands_begin(commands, err));
    tvk_commands_copy(commands, src, dst);
    tvk_commands_barrier(commands, TVK_BARRIER_HOST);
    TVK_TRY(tvk_commands_end(commands, err));
    TVK_TRY(tvk_gpu_submit(device, &commands, 1, ticket, err));
fail:
    tvk_commands_destroy(&commands);
    return st;
}
