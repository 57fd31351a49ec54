# Drives a testpmd at its prompt, as test plans do: a line, then everything up to the next prompt.
# Its arguments are the command line. It fails where an answer is not what the line asked for.
import re
import sys

import pexpect

PROMPT = "testpmd> "
child = pexpect.spawn(sys.argv[1], sys.argv[2:], encoding="utf-8", timeout=60, dimensions=(24, 80))
child.expect_exact(PROMPT)


def send(line, answer=""):
    child.sendline(line)
    child.expect_exact(PROMPT)
    if not re.search(answer, child.before):
        sys.exit(f"{line}: no {answer!r} in {child.before!r}")
    return child.before


def received(port):
    block = send(f"show port stats {port}", f"NIC statistics for port {port}")
    return int(re.search(r"RX-packets: (\d+)", block).group(1))


send("set fwd macswap", "Set macswap packet forwarding mode")
send("show port info 0", r"Link status: up\s+Link speed: .*\s+Link duplex: full-duplex")
ports = re.search(r"Number of available ports: (\d+)", send("show port summary all"))
if ports.group(1) != "2":
    sys.exit(f"{ports.group(1)} ports")
send("start", r"macswap packet forwarding packets/burst=32")
while received(0) == 0:
    pass
send("start", "Packet forwarding already started")
send("show fwd stats all", "Accumulated forward statistics for all ports")
end = send("stop", r"Telling cores to stop")
if int(re.search(r"\+ Accumulated .*?RX-packets: (\d+)", end, re.S).group(1)) == 0:
    sys.exit("no packets in all: " + end)
send("clear port stats all", "NIC statistics for port 1 cleared")
if received(1) != 0:
    sys.exit("statistics that were cleared are not 0")
send("port stop all", "Stopping ports")
send("port config all rxd 512")
send("port start all", "Port 1: (..:){5}..")
send("show config rxtx", "packets/burst=32")
send("foo", "Command not found")
send("set fwd foo", "Bad arguments")
child.sendline("quit")
child.expect_exact("Bye...")
child.expect(pexpect.EOF)
child.wait()
sys.exit(child.exitstatus)
