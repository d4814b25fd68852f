/* Whether a device that was lost is opened again. Pure: counts, no clock and no device. */
#ifndef TVK_CLI_RETRY_H
#define TVK_CLI_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#define RETRY_MOST 3u /* times that a device is opened again for one task */

/* Zeroed: nothing was lost yet. */
typedef struct retry {
    uint32_t count; /* times that it was opened again, or tried to be */
    bool lost;
    uint64_t place; /* of the last loss */
} retry;

typedef enum retry_verdict {
    RETRY_AGAIN,
    RETRY_SAME_PLACE, /* lost where it was lost before: the work itself does it */
    RETRY_ENOUGH
} retry_verdict;

/* The device was lost; place: how far the task had got, which only grows. */
retry_verdict retry_lost(retry *r, uint64_t place);
/* It could not be opened. */
retry_verdict retry_closed(retry *r);
/* Before it is opened for the count-th time: a driver takes its time to come back. */
uint32_t retry_pause_ms(const retry *r);

#endif
