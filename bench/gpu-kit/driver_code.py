#!/usr/bin/env python3
"""What the installed driver makes of PTX: registers, local memory and shared memory of every kernel, and how long it compiled. One JSON object a kernel.

    python3 driver_code.py FILE.ptx [--library libcuda.so.1]

Needs no toolkit. Local memory of a kernel that declares none is what was spilled. The driver keeps what it compiled, so that a second run says little of the
time; another CUDA_CACHE_PATH, or CUDA_CACHE_DISABLE=1, makes it compile again.
"""
import argparse
import ctypes
import json
import pathlib
import re
import time

SHARED, LOCAL, REGISTERS = 1, 3, 4  # CUfunction_attribute


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--library", default="libcuda.so.1")
    arguments = parser.parse_args()
    driver = ctypes.CDLL(arguments.library)

    def check(name, *values):
        if status := getattr(driver, name)(*values):
            text = ctypes.c_char_p()
            driver.cuGetErrorName(status, ctypes.byref(text))
            raise SystemExit(f"{arguments.file.name}: {name}: {(text.value or b'?').decode()}")

    text = arguments.file.read_bytes()
    context, module, function, value = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_int()
    check("cuInit", 0)
    check("cuCtxCreate_v2", ctypes.byref(context), 0, 0)
    start = time.monotonic()
    check("cuModuleLoadData", ctypes.byref(module), text + b"\0")
    seconds = time.monotonic() - start
    for name in re.findall(r"\.visible \.entry (\w+)", text.decode()):
        check("cuModuleGetFunction", ctypes.byref(function), module, name.encode())
        row = {"kernel": name}
        for key, attribute in (("registers", REGISTERS), ("local", LOCAL), ("shared", SHARED)):
            check("cuFuncGetAttribute", ctypes.byref(value), attribute, function)
            row[key] = value.value
        print(json.dumps({**row, "module_seconds": round(seconds, 3)}))


main()
