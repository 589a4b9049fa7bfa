// SPDX-License-Identifier: Apache-2.0

// Go's x/crypto/ssh, each algorithm alone: PORT USER FOLDER KEX CIPHERS MACS COMPRESSIONS HOST-KEY-ALGORITHMS.
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// What x/crypto has had since 0.4.0; it gives out no list itself before 0.36.
const (
	knownKex = "curve25519-sha256 curve25519-sha256@libssh.org ecdh-sha2-nistp256 ecdh-sha2-nistp384 ecdh-sha2-nistp521 " +
		"diffie-hellman-group14-sha256 diffie-hellman-group14-sha1 diffie-hellman-group1-sha1 " +
		"diffie-hellman-group-exchange-sha256 diffie-hellman-group-exchange-sha1"
	knownCiphers = "aes128-ctr aes192-ctr aes256-ctr arcfour256 arcfour128 arcfour aes128-gcm@openssh.com " +
		"chacha20-poly1305@openssh.com aes128-cbc 3des-cbc"
	knownMacs     = "hmac-sha2-256-etm@openssh.com hmac-sha2-256 hmac-sha1 hmac-sha1-96"
	knownHostKeys = "ssh-ed25519 ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521 rsa-sha2-256 rsa-sha2-512 " +
		"ssh-rsa ssh-dss"
)

var (
	some   []byte
	failed bool
)

// Names of ours that are among the known ones.
func both(ours, known string) []string {
	var names []string
	for _, name := range strings.Split(ours, ",") {
		for _, k := range strings.Fields(known) {
			if k == name {
				names = append(names, name)
			}
		}
	}
	return names
}

func signer(name string) (ssh.Signer, error) {
	text, err := os.ReadFile(filepath.Join(os.Args[3], name))
	if err != nil {
		return nil, err
	}
	return ssh.ParsePrivateKey(text)
}

func throughCat(config *ssh.ClientConfig, key string) error {
	s, err := signer(key)
	if err != nil {
		return err
	}
	config.User = os.Args[2]
	config.Auth = []ssh.AuthMethod{ssh.PublicKeys(s)}
	config.HostKeyCallback = ssh.InsecureIgnoreHostKey()
	config.Timeout = 200 * time.Second
	config.RekeyThreshold = 16384
	client, err := ssh.Dial("tcp", "127.0.0.1:"+os.Args[1], config)
	if err != nil {
		return err
	}
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		return err
	}
	var got bytes.Buffer
	session.Stdin = bytes.NewReader(some)
	session.Stdout = &got
	session.Stderr = io.Discard
	if err = session.Run("cat"); err != nil {
		return err
	}
	if !bytes.Equal(got.Bytes(), some) {
		return fmt.Errorf("other bytes came back: %d", got.Len())
	}
	return nil
}

func cell(kind, name, key string, config *ssh.ClientConfig) {
	what := fmt.Sprintf("%-16s %-10s %s", "go", kind, name)
	if err := throughCat(config, key); err != nil {
		failed = true
		fmt.Printf("FAILED  %s: %v\n", what, err)
		return
	}
	fmt.Println("ok      " + what)
}

func main() {
	var err error
	if some, err = os.ReadFile(filepath.Join(os.Args[3], "some")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	for _, a := range both(os.Args[4], knownKex) {
		cell("kex", a, "ed25519", &ssh.ClientConfig{Config: ssh.Config{KeyExchanges: []string{a}}})
	}
	// Its CBC takes no heed of encrypt-then-MAC.
	for _, a := range both(os.Args[5], knownCiphers) {
		cell("cipher", a, "ed25519", &ssh.ClientConfig{Config: ssh.Config{Ciphers: []string{a}, MACs: []string{"hmac-sha2-256"}}})
	}
	for _, a := range both(os.Args[6], knownMacs) {
		for kind, cipher := range map[string]string{"mac": "aes128-ctr", "mac+cbc": "aes128-cbc", "mac+rc4": "arcfour256"} {
			if kind != "mac+cbc" || !strings.Contains(a, "-etm") {
				cell(kind, a, "ed25519", &ssh.ClientConfig{Config: ssh.Config{MACs: []string{a}, Ciphers: []string{cipher}}})
			}
		}
	}
	for _, a := range both(os.Args[8], knownHostKeys) {
		cell("host-key", a, "ed25519", &ssh.ClientConfig{HostKeyAlgorithms: []string{a}})
	}
	// RSA signs as the first that both have; the server names rsa-sha2-256 among its own.
	for _, k := range [][2]string{{"ed25519", "ssh-ed25519"}, {"ecdsa256", "ecdsa-sha2-nistp256"},
		{"ecdsa384", "ecdsa-sha2-nistp384"}, {"ecdsa521", "ecdsa-sha2-nistp521"}, {"rsa", "rsa-sha2-256"}} {
		cell("user-key", k[1], k[0], &ssh.ClientConfig{})
	}
	if failed {
		os.Exit(1)
	}
}
