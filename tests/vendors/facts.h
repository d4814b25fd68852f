/* What a vendor's compiler made of a kernel, in one form whatever the driver calls it. */
#ifndef TVK_TESTS_VENDORS_FACTS_H
#define TVK_TESTS_VENDORS_FACTS_H

#include "kernels/kernel.h"

/* One row of compilers.def. NULL: the driver does not tell. Alternatives are separated by '|',
 * numbers of all of them are added. */
typedef struct compiler {
    const char *driver; /* how tvk_device_info.driver begins */
    const char *instructions, *registers, *occupancy, *spills, *scratch;
    uint32_t least_occupancy; /* in the driver's own unit */
    const char *dot, *matrix; /* in its disassembly */
} compiler;

/* NULL: a driver that compilers.def does not have. */
const compiler *compiler_find(const char *driver);

/* Numbers: -1 where the driver does not tell. Of several executables the worst counts; spills are
 * added. */
typedef struct kernel_facts {
    char name[96]; /* manifest row and configuration */
    uint32_t row;  /* of the manifest */
    double instructions, registers, occupancy, spills, scratch;
    uint32_t subgroup;
    bool told, dot, matrix; /* is there a disassembly; which instructions are in it */
} kernel_facts;

tvk_status kernel_facts_read(tvk_program *program, const char *name, uint32_t row,
                             const compiler *c, kernel_facts *out, tvk_error *err);
/* Is everything that is known of both the same? */
bool kernel_facts_same(const kernel_facts *a, const kernel_facts *b);

#endif
