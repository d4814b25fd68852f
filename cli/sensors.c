#include "sensors.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/disk.h"

#define MOST 64u /* zones, cards or processors of a machine; a phone has some fifty zones */

/* Files with one number, by the index of the device: units of 1 MHz. */
static const struct {
    const char *path, *clock;
    double mhz;
} clocks[] = {
    {"class/kgsl/kgsl-3d%u/gpuclk", "gpu", 1e-6},     /* Adreno, Qualcomm's driver: Hz */
    {"class/misc/mali%u/device/clock", "gpu", 1},     /* Mali, Arm's driver: MHz */
    {"class/drm/card%u/gt_cur_freq_mhz", "gpu", 1},   /* i915 */
    {"class/hwmon/hwmon%u/freq1_input", "gpu", 1e-6}, /* amdgpu: the shader clock in Hz */
    {"devices/system/cpu/cpu%u/cpufreq/scaling_cur_freq", "cpu", 1e-3}, /* cpufreq: kHz */
};

static bool read_number(const char *sys, const char *format, uint32_t index, double *out)
{
    char name[128], path[512];
    FILE *f;
    bool good;
    snprintf(name, sizeof name, format, index);
    if ((size_t)snprintf(path, sizeof path, "%s/%s", sys, name) >= sizeof path) return false;
    f = tvk_disk_open(path, TVK_DISK_READ);
    if (!f) return false;
    good = fscanf(f, "%lf", out) == 1 && isfinite(*out);
    fclose(f);
    return good;
}

sensors sensors_read(const char *sys)
{
    sensors s = {NAN, NAN, NULL};
    double v;
    /* thermal zones tell thousandths of a degree; one that is off tells nonsense */
    for (uint32_t i = 0; i < MOST; i++)
        if (read_number(sys, "class/thermal/thermal_zone%u/temp", i, &v) && v > 0 && v < 150e3)
            s.celsius = fmax(s.celsius, v / 1e3);
    for (size_t c = 0; c < sizeof clocks / sizeof *clocks && !s.clock; c++)
        for (uint32_t i = 0; i < MOST; i++) {
            if (!read_number(sys, clocks[c].path, i, &v) || v <= 0) continue;
            s.mhz = fmax(s.mhz, v * clocks[c].mhz);
            s.clock = clocks[c].clock;
        }
    return s;
}
