#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""AsyncSSH with a password that has to be changed: change_client.py PORT USER PASSWORD NEW... Takes the next NEW each time
it is asked. Prints the prompts and what the server then says; exit status 3 when it refuses the login."""
import asyncio
import sys
import warnings

warnings.simplefilter("ignore")
import asyncssh  # noqa: E402

port, user, password, *new = sys.argv[1:]


class Client(asyncssh.SSHClient):
    def password_change_requested(self, prompt, lang):
        print(prompt, flush=True)
        return (password, new.pop(0)) if new else NotImplemented


async def main():
    try:
        async with asyncssh.connect("127.0.0.1", int(port), username=user, password=password, known_hosts=None, config=None,
                                    client_keys=None, agent_path=None, client_factory=Client,
                                    preferred_auth=["password"]) as connection:
            print((await connection.run("anything")).stdout, end="")
    except asyncssh.PermissionDenied as error:
        print(error, file=sys.stderr)
        sys.exit(3)


asyncio.run(asyncio.wait_for(main(), 60))
