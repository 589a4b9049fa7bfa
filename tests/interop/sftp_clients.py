# SPDX-License-Identifier: Apache-2.0
"""SFTP clients in Python against a folder that is served whole: paramiko|asyncssh PORT USER PASSWORD FILE"""

import asyncio
import os
import stat
import sys

from checks import same

CLIENT, PORT, USER, PASSWORD, FILE = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5]


def by_paramiko():
    import paramiko

    transport = paramiko.Transport(("127.0.0.1", PORT))
    transport.connect(username=USER, password=PASSWORD)
    sftp = paramiko.SFTPClient.from_transport(transport)
    same(sftp.normalize("."), "/")
    sftp.mkdir("/py")
    sftp.put(FILE, "/py/there")
    sftp.get("/py/there", FILE + ".back")
    same(sftp.stat("/py/there").st_size, os.path.getsize(FILE))
    same(stat.S_ISDIR(sftp.stat("/py").st_mode), True)
    sftp.rename("/py/there", "/py/elsewhere")
    same(sftp.listdir("/py"), ["elsewhere"])
    sftp.truncate("/py/elsewhere", 7)
    same(sftp.lstat("/py/elsewhere").st_size, 7)
    sftp.utime("/py/elsewhere", (1000000000, 1000000000))
    same(sftp.stat("/py/elsewhere").st_mtime, 1000000000)
    for path in ("/py/nothing", "/../../../etc/hostname"):
        try:
            sftp.open(path)
        except FileNotFoundError:
            continue
        raise AssertionError("opened " + path)
    sftp.remove("/py/elsewhere")
    sftp.rmdir("/py")
    transport.close()


async def by_asyncssh():
    import asyncssh

    async with asyncssh.connect("127.0.0.1", PORT, username=USER, password=PASSWORD, known_hosts=None, config=None,
                                client_keys=None) as connection:
        async with connection.start_sftp_client() as sftp:
            same(await sftp.getcwd(), "/")
            await sftp.makedirs("as/deep/er")
            await sftp.put(FILE, "as/deep/er/there")
            await sftp.get("as/deep/er/there", FILE + ".back")
            same((await sftp.stat("as/deep/er/there")).size, os.path.getsize(FILE))
            await sftp.posix_rename("as/deep/er/there", "as/there")
            same(sorted(n for n in await sftp.listdir("as") if n not in (".", "..")), ["deep", "there"])
            async with sftp.open("as/there", "ab") as f:
                await f.write(b"more")
            same((await sftp.stat("as/there")).size, os.path.getsize(FILE) + 4)
            try:
                await sftp.symlink("/etc", "as/link")
            except asyncssh.SFTPError as e:
                same(e.code, asyncssh.FX_OP_UNSUPPORTED)
            else:
                raise AssertionError("a link was made")
            await sftp.rmtree("as")
            same(await sftp.exists("as"), False)


if CLIENT == "paramiko":
    by_paramiko()
else:
    asyncio.run(by_asyncssh())
with open(FILE, "rb") as there, open(FILE + ".back", "rb") as back:
    same(back.read() == there.read(), True)
