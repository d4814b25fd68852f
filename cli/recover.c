/* A device that was lost is opened again, with the model and the sessions that were on it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "interrupt.h"
#include "out.h"
#include "platform.h"

/* Sessions are made, or those of the lost device attached. */
static tvk_status make_sessions(engine *e, tvk_error *err)
{
    tvk_status st = TVK_OK;
    for (uint32_t i = 0; st == TVK_OK && i < e->session_count; i++)
        st = e->sessions[i] ? tvk_session_attach(e->sessions[i], e->model, err)
                            : tvk_session_create(e->model, &e->sessions[i], err);
    if (e->session_count) e->session = e->sessions[0];
    return st;
}

static void drop_device(engine *e)
{
    for (uint32_t i = 0; i < e->session_count; i++)
        if (e->sessions[i]) tvk_session_detach(e->sessions[i]);
    tvk_model_destroy(&e->model);
    if (e->device) e->messages += tvk_device_validation_messages(e->device);
    tvk_device_destroy(&e->device);
    e->programs = false;
}

static tvk_status make_again(engine *e, tvk_error *err)
{
    tvk_status st;
    drop_device(e);
    st = engine_make_device(e, err);
    if (st == TVK_OK) st = engine_make_model(e, err);
    return st == TVK_OK ? make_sessions(e, err) : st;
}

/* Why it ends here, behind the reason. */
static void add(tvk_error *err, const char *what)
{
    size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof err->text - used, "%s", what);
}

static bool worth(retry_verdict verdict, tvk_error *err)
{
    char often[48];
    snprintf(often, sizeof often, ", opened again %u times: given up", RETRY_MOST);
    if (verdict == RETRY_SAME_PLACE) add(err, " twice in the same place: given up");
    if (verdict == RETRY_ENOUGH) add(err, often);
    return verdict == RETRY_AGAIN;
}

bool engine_recovered(engine *e, uint64_t done, tvk_error *err)
{
    retry_verdict verdict;
    if (err->status != TVK_ERR_DEVICE_LOST) return false;
    for (verdict = retry_lost(&e->retry, done); worth(verdict, err) && !interrupted();
         verdict = retry_closed(&e->retry)) {
        if (platform_is_terminal(stdout)) fputc('\n', stderr); /* the text's line ends here */
        out_error("warning: %s: opening it again, %u of %u", err->text, e->retry.count, RETRY_MOST);
        platform_sleep_ms(retry_pause_ms(&e->retry));
        if (make_again(e, err) == TVK_OK) return true;
        if (err->status == TVK_ERR_CANCELLED) return false;
    }
    return false;
}

int engine_open_sessions(engine *e, uint32_t count)
{
    tvk_error err = {.status = TVK_ERR_HOST_MEMORY};
    e->sessions = calloc(count, sizeof *e->sessions);
    if (!e->sessions) return out_failed(&err);
    e->session_count = count;
    if (make_sessions(e, &err) != TVK_OK && !engine_recovered(e, ENGINE_LOADING, &err))
        return out_failed(&err);
    return 0;
}
