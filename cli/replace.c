#include "replace.h"

#include <errno.h>
#include <string.h>

#include "base/disk.h"
#include "out.h"

bool replace_begin(replace *r, const char *path)
{
    int n = snprintf(r->path, sizeof r->path, "%s", path);
    r->file = NULL;
    errno = ENOENT;
    if (n > 0 && (size_t)n < sizeof r->path) {
        snprintf(r->beside, sizeof r->beside, "%s.part", r->path);
        r->file = tvk_disk_open(r->beside, TVK_DISK_WRITE);
    }
    if (!r->file) out_error("%s cannot be written: %s", path, strerror(errno));
    return r->file != NULL;
}

bool replace_end(replace *r, bool keep)
{
    tvk_error err;
    bool ok = !ferror(r->file);
    if (fclose(r->file) != 0) ok = false;
    r->file = NULL;
    if (!ok)
        out_error("%s cannot be written: %s", r->path, strerror(errno));
    else if (keep && tvk_disk_replace(r->beside, r->path, &err) == TVK_OK)
        return true;
    else if (keep)
        out_failed(&err);
    tvk_disk_remove(r->beside);
    return false;
}
