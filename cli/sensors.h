/* How warm the machine is and how fast it is clocked, where Linux or Android tell. */
#ifndef TVK_CLI_SENSORS_H
#define TVK_CLI_SENSORS_H

typedef struct sensors {
    double celsius;    /* of the hottest thermal zone; NAN: none is readable */
    double mhz;        /* of the GPU where its driver tells, else of a processor; NAN: not told */
    const char *clock; /* whose: "gpu", "cpu"; NULL: not told */
} sensors;

/* sys: where sysfs is mounted, "/sys". */
sensors sensors_read(const char *sys);

#endif
