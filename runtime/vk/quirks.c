#include "vk/quirks.h"

#include <stdio.h>
#include <string.h>

typedef struct quirk {
    uint32_t driver, first, last;
    const char *device;
    uint32_t subgroup;
    tvk_quirk_action action;
    const char *reason;
} quirk;

static const quirk quirks[] = {
#define TVK_QUIRK(driver, first, last, device, subgroup, action, reason)                           \
    {driver, first, last, device, subgroup, action, reason},
#include "vk/quirks.def"
};

static bool matches(const quirk *q, const tvk_caps *caps)
{
    return q->driver == caps->driver_id && caps->driver_version >= q->first &&
           caps->driver_version <= q->last && (!q->device || strstr(caps->name, q->device)) &&
           (q->subgroup == 0 || q->subgroup == caps->subgroup_size);
}

/* False when the device would not have used the thing anyway: then nothing is worth saying. */
static bool apply(tvk_quirk_action action, tvk_caps *caps)
{
    bool changed = false;
    switch (action) {
    case TVK_QUIRK_NO_COOPMAT:
        changed = caps->cooperative_matrix;
        caps->cooperative_matrix = false;
        break;
    case TVK_QUIRK_NO_REQUIRED_SUBGROUP:
        changed = caps->subgroup_required_in_compute && caps->subgroup_min != caps->subgroup_max;
        caps->subgroup_required_in_compute = false;
        break;
    case TVK_QUIRK_DOT_FAST:
        changed = caps->dot && !(caps->dot_signed && caps->dot_mixed);
        if (caps->dot) caps->dot_signed = caps->dot_mixed = true;
        break;
    case TVK_QUIRK_GROUPS_256:
        changed = caps->max_invocations > 256;
        if (changed) caps->max_invocations = 256;
        break;
    case TVK_QUIRK_PUSH_ALL:
        changed = !caps->push_all;
        caps->push_all = true;
        break;
    }
    return changed;
}

void tvk_quirks_apply(tvk_caps *caps, char *text, size_t text_bytes)
{
    size_t used = 0;
    if (text_bytes > 0) text[0] = '\0';
    for (size_t i = 0; i < sizeof quirks / sizeof *quirks; i++) {
        int n;
        if (!matches(&quirks[i], caps) || !apply(quirks[i].action, caps)) continue;
        n = snprintf(text + used, text_bytes - used, "%s%s", used > 0 ? "; " : "",
                     quirks[i].reason);
        if (n > 0) used += (size_t)n < text_bytes - used ? (size_t)n : text_bytes - used - 1;
    }
}
