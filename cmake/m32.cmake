# SPDX-License-Identifier: MIT
#
# 32 bits by a compiler for x86-64: its programs run on this machine. It takes libc's headers
# and libraries for -m32: on Debian gcc-12-multilib, for the compiler's version. (The package
# gcc-multilib cannot be installed beside a cross compiler, and has one thing more: the
# kernel's headers where -m32 looks for them.)

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR i686)
set(CMAKE_C_FLAGS_INIT "-m32 -idirafter /usr/include/x86_64-linux-gnu")
set(CMAKE_ASM_FLAGS_INIT "-m32")
