#include "npy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/disk.h"
#include "out.h"

bool npy_write_f32(const char *path, const float *data, size_t rows, size_t columns)
{
    /* magic, version, length of the rest; the rest ends in a newline and makes the data aligned */
    enum { PREFIX = 10, HEADER = 128 };
    char header[HEADER], beside[4096];
    FILE *f = NULL;
    tvk_error err;
    bool ok;
    memset(header, ' ', sizeof header);
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = HEADER - PREFIX;
    header[9] = 0;
    header[PREFIX + snprintf(header + PREFIX, HEADER - PREFIX,
                             "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }",
                             rows, columns)] = ' ';
    header[HEADER - 1] = '\n';
    ok = snprintf(beside, sizeof beside, "%s.part", path) < (int)sizeof beside;
    if (ok) f = tvk_disk_open(beside, TVK_DISK_WRITE);
    ok = f && fwrite(header, 1, HEADER, f) == HEADER &&
         fwrite(data, sizeof *data * columns, rows, f) == rows;
    if (f && fclose(f) != 0) ok = false;
    if (!ok)
        out_error("%s cannot be written: %s", path, strerror(errno));
    else if (tvk_disk_replace(beside, path, &err) == TVK_OK)
        return true;
    else
        out_failed(&err);
    if (f) tvk_disk_remove(beside);
    return false;
}
