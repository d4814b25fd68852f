/* Uses one function of each library, so that both must link. */
#include <stdio.h>

#include "ternvk/device.h"
#include "ternvk/loader.h"

int main(void)
{
    tvk_device_info *devices = NULL;
    tvk_file *file = NULL;
    tvk_error err;
    uint32_t count = 0;
    tvk_status listed = tvk_device_list(NULL, &devices, &count, &err);
    tvk_status opened = tvk_file_open("there-is-no-such-file.gguf", &file, &err);
    printf("ternvk %s: devices: %s, file: %s\n", tvk_version(), tvk_status_name(listed),
           tvk_status_name(opened));
    return opened == TVK_ERR_IO ? 0 : 1;
}
