//go:build unix

package testserver

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// makeFolder makes the folder of the server, where its user can reach it and the path of a socket stays short.
func (d *daemon) makeFolder() error {
	base := os.TempDir()
	if os.Geteuid() == 0 || len(base) > 60 {
		base = "/tmp"
	}
	folder, err := os.MkdirTemp(base, "gatewarden-")
	if err != nil {
		return err
	}
	d.folder = folder
	if os.Geteuid() != 0 {
		return nil
	}
	if d.credential, err = unprivileged("nobody"); err != nil {
		return err
	}
	return os.Chown(folder, int(d.credential.Uid), int(d.credential.Gid))
}

// unprivileged returns the ids of a user. PostgreSQL and MariaDB refuse to run as root.
func unprivileged(name string) (*syscall.Credential, error) {
	found, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(found.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(found.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// data is the folder of the server's own files.
func (d *daemon) data() string { return filepath.Join(d.folder, "data") }

// write makes a file that only the user of the server can read.
func (d *daemon) write(path, text string) error {
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil || d.credential == nil {
		return err
	}
	return os.Chown(path, int(d.credential.Uid), int(d.credential.Gid))
}

// command is a program that runs as the user of the server, apart from the terminal and the variables of this process.
func (d *daemon) command(program string, arguments ...string) *exec.Cmd {
	cmd := exec.Command(program, arguments...)
	cmd.Dir = d.folder
	cmd.Env = []string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin", "HOME=" + d.folder, "LC_ALL=C",
		"TZ=Asia/Kathmandu"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: d.credential}
	return cmd
}

// run runs a program to its end.
func (d *daemon) run(program string, arguments ...string) error {
	if out, err := d.command(program, arguments...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, out)
	}
	return nil
}
