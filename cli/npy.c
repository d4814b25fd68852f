#include "npy.h"

#include <stdio.h>
#include <string.h>

#include "replace.h"

bool npy_write_f32(const char *path, const float *data, size_t rows, size_t columns)
{
    /* magic, version, length of the rest; the rest ends in a newline and makes the data aligned */
    enum { PREFIX = 10, HEADER = 128 };
    char header[HEADER];
    replace r;
    bool ok;
    memset(header, ' ', sizeof header);
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = HEADER - PREFIX;
    header[9] = 0;
    header[PREFIX + snprintf(header + PREFIX, HEADER - PREFIX,
                             "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }",
                             rows, columns)] = ' ';
    header[HEADER - 1] = '\n';
    if (!replace_begin(&r, path)) return false;
    ok = fwrite(header, 1, HEADER, r.file) == HEADER &&
         fwrite(data, sizeof *data * columns, rows, r.file) == rows;
    return replace_end(&r, ok);
}
