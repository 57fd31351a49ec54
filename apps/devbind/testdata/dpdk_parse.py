# Reads command lines of dpdk-devbind.py, without its name, and prints what that program takes each
# for: its driver, whether it shows the status, whether it forces, and its devices.
import contextlib
import importlib.machinery
import importlib.util
import io
import shutil
import sys

path = shutil.which("dpdk-devbind.py")
loader = importlib.machinery.SourceFileLoader("devbind", path)
module = importlib.util.module_from_spec(importlib.util.spec_from_loader("devbind", loader))
loader.exec_module(module)

for line in sys.stdin:
    module.b_flag, module.status_flag, module.force_flag, module.args = None, False, False, []
    sys.argv = [path] + line.split()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            module.parse_args()
    except SystemExit as end:
        print("exit", end.code)
        continue
    print(module.b_flag, module.status_flag, module.force_flag, *module.args)
