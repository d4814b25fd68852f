#include "retry.h"

#define FIRST_PAUSE_MS 100u

retry_verdict retry_closed(retry *r)
{
    if (r->count == RETRY_MOST) return RETRY_ENOUGH;
    r->count++;
    return RETRY_AGAIN;
}

retry_verdict retry_lost(retry *r, uint64_t place)
{
    const bool same = r->lost && r->place == place;
    r->lost = true;
    r->place = place;
    return same ? RETRY_SAME_PLACE : retry_closed(r);
}

uint32_t retry_pause_ms(const retry *r)
{
    uint32_t ms = FIRST_PAUSE_MS;
    for (uint32_t i = 1; i < r->count; i++) ms *= 4;
    return ms;
}
