/* What compilers call differently; the only place besides ternvk/base.h that asks which one it is.
 */
#ifndef TVK_BASE_COMPILER_H
#define TVK_BASE_COMPILER_H

/* Behind the declaration of a function that takes a format: its arguments are checked.
 * mingw-w64 has two printfs; the one of C99 is chosen by the build (CMakeLists.txt). */
#if defined(__MINGW32__) && !defined(__clang__)
#define TVK_PRINTF(fmt_index, first) __attribute__((format(gnu_printf, fmt_index, first)))
#elif defined(__GNUC__)
#define TVK_PRINTF(fmt_index, first) __attribute__((format(printf, fmt_index, first)))
#else
#define TVK_PRINTF(fmt_index, first)
#endif

#endif
