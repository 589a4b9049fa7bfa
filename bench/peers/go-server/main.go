// SPDX-License-Identifier: Apache-2.0

// A peer to compare with: an SSH server on golang.org/x/crypto/ssh as its users write one, goroutines for each connection.
// Password and key login; the commands echo, sink and source BYTES, as `nacred --bench` has them.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"
)

const ioBytes = 64 * 1024

func readKeys(path string) ([][]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var keys [][]byte
	for len(bytes.TrimSpace(text)) > 0 {
		key, _, _, rest, err := ssh.ParseAuthorizedKey(text)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key.Marshal())
		text = rest
	}
	return keys, nil
}

func newConfig(user, password string, keys [][]byte) *ssh.ServerConfig {
	config := &ssh.ServerConfig{}
	if password != "" {
		config.PasswordCallback = func(c ssh.ConnMetadata, given []byte) (*ssh.Permissions, error) {
			if c.User() == user && string(given) == password {
				return nil, nil
			}
			return nil, fmt.Errorf("wrong password")
		}
	}
	config.PublicKeyCallback = func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		for _, k := range keys {
			if c.User() == user && bytes.Equal(k, key.Marshal()) {
				return nil, nil
			}
		}
		return nil, fmt.Errorf("unknown key")
	}
	return config
}

func source(to io.Writer, count int64) {
	zeros := make([]byte, ioBytes)
	for count > 0 {
		part := int64(len(zeros))
		if part > count {
			part = count
		}
		if _, err := to.Write(zeros[:part]); err != nil {
			return
		}
		count -= part
	}
}

func run(channel ssh.Channel, command string) {
	status := uint32(0)
	word, argument, _ := strings.Cut(command, " ")
	switch word {
	case "echo":
		io.CopyBuffer(channel, struct{ io.Reader }{channel}, make([]byte, ioBytes))
	case "sink":
		io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{channel}, make([]byte, ioBytes))
	case "source":
		count, err := strconv.ParseInt(argument, 10, 64)
		if err != nil {
			status = 1
		}
		source(channel, count)
	}
	channel.CloseWrite()
	channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
	channel.Close()
}

func isCommand(command string) bool {
	return command == "echo" || command == "sink" || strings.HasPrefix(command, "source ")
}

func serveSession(offer ssh.NewChannel) {
	channel, requests, err := offer.Accept()
	if err != nil {
		return
	}
	for request := range requests {
		var exec struct{ Command string }
		ok := request.Type == "exec" && ssh.Unmarshal(request.Payload, &exec) == nil && isCommand(exec.Command)
		request.Reply(ok, nil)
		if ok {
			go run(channel, exec.Command)
		}
	}
}

func serve(socket net.Conn, config *ssh.ServerConfig) {
	defer socket.Close()
	_, offers, requests, err := ssh.NewServerConn(socket, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for offer := range offers {
		if offer.ChannelType() != "session" {
			offer.Reject(ssh.UnknownChannelType, "sessions only")
			continue
		}
		go serveSession(offer)
	}
}

func main() {
	hostKey := flag.String("host-key", "", "private key `FILE`")
	user := flag.String("user", "", "`NAME` that may log in")
	password := flag.String("password", "", "its password")
	authorized := flag.String("authorized-keys", "", "`FILE` with its keys")
	port := flag.String("port", "2222", "on 127.0.0.1")
	flag.Parse()

	text, err := os.ReadFile(*hostKey)
	if err != nil {
		log.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(text)
	if err != nil {
		log.Fatal(err)
	}
	var keys [][]byte
	if *authorized != "" {
		if keys, err = readKeys(*authorized); err != nil {
			log.Fatal(err)
		}
	}
	config := newConfig(*user, *password, keys)
	config.AddHostKey(signer)
	listener, err := net.Listen("tcp", "127.0.0.1:"+*port)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("go-server: listening on %s\n", listener.Addr())
	for {
		socket, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serve(socket, config)
	}
}
