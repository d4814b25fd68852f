#include "bench_steady.h"

#include <math.h>
#include <stdio.h>

void bench_steady_begin(bench_steady *s, const bench_steady_params *params, double tokens)
{
    *s = (bench_steady){.params = *params, .tokens = tokens, .hottest = NAN};
}

static uint32_t kept(const bench_steady *s)
{
    return s->windows < STEADY_WINDOWS ? s->windows : STEADY_WINDOWS;
}

static double rate_of(const bench_steady *s, uint32_t window)
{
    return s->tokens * s->window_runs[window] / (s->window_ns[window] * 1e-9);
}

static void close_window(bench_steady *s, sensors now)
{
    const uint32_t at = s->windows % STEADY_WINDOWS;
    double least = INFINITY, most = 0, ns = 0;
    s->window_ns[at] = s->open_ns;
    s->window_runs[at] = s->open_runs;
    s->open_ns = 0;
    s->open_runs = 0;
    s->at_last = now;
    s->hottest = fmax(s->hottest, now.celsius);
    if (s->windows++ == 0) {
        s->first = rate_of(s, at);
        s->at_first = now;
    }
    for (uint32_t i = 0; i < kept(s); i++) {
        least = fmin(least, rate_of(s, i));
        most = fmax(most, rate_of(s, i));
        ns += s->window_ns[i];
    }
    s->last = s->tokens * bench_steady_runs(s) / (ns * 1e-9);
    s->reached = s->windows >= STEADY_WINDOWS && most - least <= most * s->params.tolerance / 100;
}

bool bench_steady_add(bench_steady *s, double ns, sensors (*now)(void *user), void *user)
{
    bool late;
    s->open_ns += ns;
    s->open_runs++;
    s->seconds += ns * 1e-9;
    late = s->seconds >= s->params.limit_s;
    if (s->open_ns * 1e-9 >= s->params.window_s || late) close_window(s, now(user));
    return !s->reached && !late;
}

uint32_t bench_steady_runs(const bench_steady *s)
{
    uint32_t runs = 0;
    for (uint32_t i = 0; i < kept(s); i++) runs += s->window_runs[i];
    return runs;
}

const char *bench_steady_text(const bench_steady *s, char *text, uint32_t bytes)
{
    char heat[64] = "", clock[64] = "";
    if (!isnan(s->hottest))
        snprintf(heat, sizeof heat, "; %.0f -> %.0f °C", s->at_first.celsius, s->at_last.celsius);
    if (s->at_last.clock)
        snprintf(clock, sizeof clock, "; %s %.0f -> %.0f MHz", s->at_last.clock, s->at_first.mhz,
                 s->at_last.mhz);
    snprintf(text, bytes, "first %.2f, %s %.2f t/s after %.0f s in %u windows%s%s", s->first,
             s->reached ? "steady" : "not steady yet,", s->last, s->seconds, s->windows, heat,
             clock);
    return text;
}
