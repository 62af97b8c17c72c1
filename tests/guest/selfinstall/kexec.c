/* kexec KERNEL INITRD COMMAND-LINE: enters another kernel, as `kexec -s --load` and `kexec -e` of kexec-tools do (whose package
 * brings Xen's libraries along). kexec_file_load(2), reboot(2). */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENTER_LOADED_KERNEL 0x45584543 /* LINUX_REBOOT_CMD_KEXEC of <linux/reboot.h> */

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    int kernel = open(argv[1], O_RDONLY), initrd = open(argv[2], O_RDONLY);
    if (kernel < 0 || initrd < 0)
        return perror("open"), 1;
    if (syscall(SYS_kexec_file_load, kernel, initrd, strlen(argv[3]) + 1, argv[3], 0UL) != 0)
        return perror("kexec_file_load"), 1;
    sync();
    reboot(ENTER_LOADED_KERNEL);
    return perror("reboot"), 1;
}
