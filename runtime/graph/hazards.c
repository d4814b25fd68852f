#include "graph/graph.h"

#include <stdlib.h>
#include <string.h>

bool tvk_hazards_conflict(const tvk_hazards *h, const tvk_span *span, bool write)
{
    for (uint32_t i = 0; i < h->count; i++) {
        const tvk_hazard_range *r = &h->ranges[i];
        if (r->buffer != span->buffer || (!write && !r->write)) continue;
        if (r->begin < span->offset + span->bytes && span->offset < r->end) return true;
    }
    return false;
}

bool tvk_hazards_add(tvk_hazards *h, const tvk_span *span, bool write)
{
    if (h->count == h->capacity) {
        uint32_t capacity = h->capacity ? h->capacity * 2 : 32;
        tvk_hazard_range *ranges = realloc(h->ranges, capacity * sizeof *ranges);
        if (!ranges) return false;
        h->ranges = ranges;
        h->capacity = capacity;
    }
    h->ranges[h->count++] =
        (tvk_hazard_range){span->buffer, span->offset, span->offset + span->bytes, write};
    return true;
}

void tvk_hazards_clear(tvk_hazards *h)
{
    h->count = 0;
}

void tvk_hazards_free(tvk_hazards *h)
{
    free(h->ranges);
    memset(h, 0, sizeof *h);
}
