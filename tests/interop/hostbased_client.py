#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""AsyncSSH by hostbased: hostbased_client.py PORT USER KEY HOST HOST-USER COMMAND. Prints what the command prints; exit
status 3 when the server refuses the login."""
import asyncio
import sys
import warnings

warnings.simplefilter("ignore")
import asyncssh  # noqa: E402


async def main():
    port, user, key, host, host_user, command = sys.argv[1:]
    try:
        async with asyncssh.connect("127.0.0.1", int(port), username=user, known_hosts=None, config=None, client_keys=None,
                                    agent_path=None, client_host_keys=[key], client_host=host, client_username=host_user,
                                    preferred_auth=["hostbased"]) as connection:
            print((await connection.run(command, check=True)).stdout, end="")
    except asyncssh.PermissionDenied as error:
        print(error, file=sys.stderr)
        sys.exit(3)


asyncio.run(asyncio.wait_for(main(), 60))
