// Command gocheck verifies a copy of a transparency log's public directory
// with code that shares nothing with the writer: golang.org/x/mod/sumdb.
//
//	gocheck fsck DIR VKEY
//
// It opens the checkpoint's note, derives every level-0 hash from the entry
// bundles, derives every tile above from the one below, compares them with
// the files, and compares the root with the checkpoint's.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const tileHeight = 8

func main() {
	if len(os.Args) != 4 || os.Args[1] != "fsck" {
		fmt.Fprintln(os.Stderr, "usage: gocheck fsck DIR VKEY")
		os.Exit(2)
	}
	size, err := fsck(os.Args[2], os.Args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, "gocheck:", err)
		os.Exit(1)
	}
	fmt.Printf("ok %d entries\n", size)
}

// fsck verifies the whole log in dir and returns its size.
func fsck(dir, vkey string) (int64, error) {
	tree, err := openCheckpoint(dir, vkey)
	if err != nil {
		return 0, fmt.Errorf("checkpoint: %w", err)
	}
	hashes, err := storedHashes(dir, tree.N)
	if err != nil {
		return 0, err
	}
	if err := checkTiles(dir, tree.N, hashes); err != nil {
		return 0, err
	}
	// Older versions of TreeHash do not know the root of the empty tree.
	root := tlog.Hash(sha256.Sum256(nil))
	if tree.N > 0 {
		if root, err = tlog.TreeHash(tree.N, hashes); err != nil {
			return 0, err
		}
	}
	if root != tree.Hash {
		return 0, fmt.Errorf("root: the tiles give %v, the checkpoint says %v", root, tree.Hash)
	}
	return tree.N, nil
}

// openCheckpoint verifies the note with vkey, whose name must be the origin.
func openCheckpoint(dir, vkey string) (tlog.Tree, error) {
	data, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return tlog.Tree{}, err
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open(data, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() || lines[3] != "" {
		return tlog.Tree{}, fmt.Errorf("expected origin %q, size and root", verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return tlog.Tree{}, fmt.Errorf("size %q", lines[1])
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tlog.Tree{}, fmt.Errorf("root %q", lines[2])
	}
	return tlog.Tree{N: size, Hash: tlog.Hash(root)}, nil
}

// memory holds the hashes of a tree in the order in which tlog stores them.
type memory []tlog.Hash

func (m memory) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index < 0 || index >= int64(len(m)) {
			return nil, fmt.Errorf("hash %d of %d", index, len(m))
		}
		hashes[i] = m[index]
	}
	return hashes, nil
}

// storedHashes reads every entry bundle and hashes its entries.
func storedHashes(dir string, size int64) (memory, error) {
	var hashes memory
	for n := int64(0); n < size; {
		width := min(256, size-n)
		path := resourcePath("entries", n/256, width)
		data, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			return nil, err
		}
		for end := n + width; n < end; n++ {
			var entry []byte
			if entry, data, err = nextEntry(data); err != nil {
				return nil, fmt.Errorf("%s: entry %d: %w", path, n, err)
			}
			added, err := tlog.StoredHashes(n, entry, hashes)
			if err != nil {
				return nil, err
			}
			hashes = append(hashes, added...)
		}
		if len(data) > 0 {
			return nil, fmt.Errorf("%s: %d bytes behind the last entry", path, len(data))
		}
	}
	return hashes, nil
}

// nextEntry splits the first entry, behind its length, from a bundle.
func nextEntry(data []byte) (entry, rest []byte, err error) {
	if len(data) < 2 {
		return nil, nil, errors.New("the bundle ends early")
	}
	length := int(binary.BigEndian.Uint16(data))
	if len(data) < 2+length {
		return nil, nil, errors.New("the bundle ends early")
	}
	return data[2 : 2+length], data[2+length:], nil
}

// checkTiles compares every tile that a log of this size has with its file.
func checkTiles(dir string, size int64, hashes memory) error {
	for level := 0; size>>(tileHeight*level) > 0; level++ {
		count := size >> (tileHeight * level)
		for n := int64(0); n*256 < count; n++ {
			width := min(256, count-n*256)
			path := resourcePath(strconv.Itoa(level), n, width)
			found, err := os.ReadFile(filepath.Join(dir, path))
			if err != nil {
				return err
			}
			tile := tlog.Tile{H: tileHeight, L: level, N: n, W: int(width)}
			expected, err := tlog.ReadTileData(tile, hashes)
			if err != nil {
				return err
			}
			if !bytes.Equal(found, expected) {
				return fmt.Errorf("%s: does not follow from the entries", path)
			}
		}
	}
	return nil
}

// resourcePath is the C2SP layout, which differs from the one of sumdb.
func resourcePath(kind string, n, width int64) string {
	path := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		path = fmt.Sprintf("x%03d/%s", n%1000, path)
	}
	path = "tile/" + kind + "/" + path
	if width < 256 {
		path += fmt.Sprintf(".p/%d", width)
	}
	return path
}
