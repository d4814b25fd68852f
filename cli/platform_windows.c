#define WIN32_LEAN_AND_MEAN
#include "platform.h"

#include <fcntl.h>
#include <io.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <windows.h>

#include <shellapi.h>

/* ENABLE_VIRTUAL_TERMINAL_PROCESSING, which older headers lack */
#define ESCAPE_SEQUENCES 0x0004

/* malloc'd; NULL: no memory. Halves of characters, which names may hold, become U+FFFD. */
static char *narrow(const wchar_t *wide)
{
    int room = WideCharToMultiByte(CP_UTF8, 0, wide, -1, NULL, 0, NULL, NULL);
    char *text = room > 0 ? malloc((size_t)room) : NULL;
    if (text) WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, room, NULL, NULL);
    return text;
}

/* The console belongs to the shell too: it gets back what it had. */
static struct {
    HANDLE handle;
    DWORD mode;
} consoles[2]; /* stdout, stderr */
static UINT code_page;

static void restore_console(void)
{
    for (int i = 0; i < 2; i++)
        if (consoles[i].handle) SetConsoleMode(consoles[i].handle, consoles[i].mode);
    if (code_page) SetConsoleOutputCP(code_page);
}

static void prepare_console(void)
{
    static const DWORD streams[2] = {STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
    for (int i = 0; i < 2; i++) {
        HANDLE handle = GetStdHandle(streams[i]);
        if (!GetConsoleMode(handle, &consoles[i].mode)) continue; /* a file or a pipe */
        consoles[i].handle = handle;
        SetConsoleMode(handle, consoles[i].mode | ESCAPE_SEQUENCES);
    }
    if (!consoles[0].handle && !consoles[1].handle) return;
    code_page = GetConsoleOutputCP();
    SetConsoleOutputCP(CP_UTF8);
    atexit(restore_console);
    /* unbuffered, as consoles are, a character would go out byte by byte */
    if (consoles[0].handle) setvbuf(stdout, NULL, _IOFBF, 4096);
}

void platform_start(int *argc, char ***argv)
{
    int count = 0;
    wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), &count);
    char **words = wide ? calloc((size_t)count + 1, sizeof *words) : NULL;
    bool whole = words != NULL;
    for (int i = 0; i < count && whole; i++) whole = (words[i] = narrow(wide[i])) != NULL;
    if (whole) {
        *argc = count;
        *argv = words;
    }
    LocalFree(wide);
    SetDllDirectoryW(L""); /* no library out of the folder that the program is started in */
    _setmode(_fileno(stdin), _O_BINARY);
    _setmode(_fileno(stdout), _O_BINARY);
    _setmode(_fileno(stderr), _O_BINARY);
    prepare_console();
}

const char *platform_environment(const char *name)
{
    wchar_t wide[64];
    const wchar_t *value;
    if (!MultiByteToWideChar(CP_UTF8, 0, name, -1, wide, sizeof wide / sizeof *wide)) return NULL;
    value = _wgetenv(wide);
    return value ? narrow(value) : NULL;
}

const platform_cache_root platform_cache_roots[] = {
    {"XDG_CACHE_HOME", ""}, {"LOCALAPPDATA", ""}, {NULL, NULL}};

static bool is_separator(char c)
{
    return c == '/' || c == '\\';
}

bool platform_is_absolute(const char *path)
{
    const bool drive = path[0] && path[1] == ':' && is_separator(path[2]);
    return drive || (is_separator(path[0]) && is_separator(path[1]));
}

bool platform_program_folder(char *path, size_t bytes)
{
    wchar_t wide[2048];
    const DWORD room = sizeof wide / sizeof *wide;
    DWORD count = GetModuleFileNameW(NULL, wide, room);
    char *slash;
    if (count == 0 || count >= room ||
        !WideCharToMultiByte(CP_UTF8, 0, wide, -1, path, (int)bytes, NULL, NULL))
        return false;
    slash = strrchr(path, '\\');
    if (slash) *slash = '\0';
    return slash != NULL;
}

bool platform_is_terminal(FILE *f)
{
    DWORD mode; /* _isatty takes NUL for a terminal */
    return GetConsoleMode((HANDLE)_get_osfhandle(_fileno(f)), &mode) != 0;
}

static double ms_of(FILETIME t)
{
    return (double)((uint64_t)t.dwHighDateTime << 32 | t.dwLowDateTime) / 1e4;
}

double platform_cpu_ms(void)
{
    FILETIME made, ended, kernel, user;
    if (!GetProcessTimes(GetCurrentProcess(), &made, &ended, &kernel, &user)) return 0;
    return ms_of(kernel) + ms_of(user);
}

void platform_sleep_ms(unsigned ms)
{
    Sleep(ms);
}

unsigned long platform_process(void)
{
    return GetCurrentProcessId();
}

platform_library *platform_library_open(const char *name)
{
    return (platform_library *)(void *)LoadLibraryA(name); /* names of ours: ASCII */
}

bool platform_library_symbol(platform_library *l, const char *name, void *to, size_t bytes)
{
    FARPROC at = GetProcAddress((HMODULE)(void *)l, name);
    if (!at || sizeof at != bytes) return false;
    memcpy(to, &at, sizeof at);
    return true;
}

void platform_library_close(platform_library *l)
{
    if (l) FreeLibrary((HMODULE)(void *)l);
}
