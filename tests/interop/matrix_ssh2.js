// SPDX-License-Identifier: Apache-2.0
// ssh2 for Node.js, each algorithm alone: PORT USER FOLDER KEX CIPHERS MACS COMPRESSIONS HOST-KEY-ALGORITHMS.
'use strict';

const fs = require('fs');
const path = require('path');
const { Client } = require('ssh2');
const has = require('ssh2/lib/protocol/constants.js');

const [port, user, folder, kex, ciphers, macs, comps, hostKeys] = process.argv.slice(2);
const some = fs.readFileSync(path.join(folder, 'some'));
let failed = false;

function throughCat(algorithms, key) {
  return new Promise((resolve, reject) => {
    const client = new Client();
    const got = [];

    client.on('error', reject);
    client.on('close', () => reject(new Error('closed')));
    client.on('ready', () => {
      client.exec('cat', (error, stream) => {
        if (error) return reject(error);
        stream.on('data', (data) => got.push(data));
        stream.on('close', () => {
          if (Buffer.concat(got).equals(some)) resolve();
          else reject(new Error('other bytes came back'));
          client.end();
        });
        return stream.end(some);
      });
    });
    client.connect({
      host: '127.0.0.1', port: Number(port), username: user, readyTimeout: 200000, algorithms,
      privateKey: fs.readFileSync(path.join(folder, key)),
    });
  });
}

async function cell(kind, name, algorithms, key = 'ed25519') {
  const what = `${'ssh2'.padEnd(16)} ${kind.padEnd(10)} ${name}`;
  try {
    await throughCat(algorithms, key);
    console.log(`ok      ${what}`);
  } catch (error) {
    failed = true;
    console.log(`FAILED  ${what}: ${error.message}`);
  }
}

const both = (ours, theirs) => ours.split(',').filter((a) => theirs.includes(a));

async function main() {
  for (const a of both(kex, has.SUPPORTED_KEX)) await cell('kex', a, { kex: [a] });
  for (const a of both(ciphers, has.SUPPORTED_CIPHER)) await cell('cipher', a, { cipher: [a] });
  for (const a of both(macs, has.SUPPORTED_MAC)) {
    await cell('mac', a, { hmac: [a], cipher: ['aes128-ctr'] });
    await cell('mac+cbc', a, { hmac: [a], cipher: ['aes128-cbc'] });
  }
  for (const a of both(comps, has.SUPPORTED_COMPRESSION)) await cell('comp', a, { compress: [a] });
  for (const a of both(hostKeys, has.SUPPORTED_SERVER_HOST_KEY)) await cell('host-key', a, { serverHostKey: [a] });
  for (const [key, a] of [['ed25519', 'ssh-ed25519'], ['ecdsa256', 'ecdsa-sha2-nistp256'],
    ['ecdsa384', 'ecdsa-sha2-nistp384'], ['ecdsa521', 'ecdsa-sha2-nistp521'], ['rsa', 'rsa-sha2-256']]) {
    await cell('user-key', a, {}, key);
  }
  process.exit(failed ? 1 : 0);
}

main();
