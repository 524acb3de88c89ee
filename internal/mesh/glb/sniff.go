package glb

import (
	"encoding/binary"
	"fmt"
	"io"
)

// headerSize is the length of a GLB's header: magic, version and length, four
// bytes each (glTF 2.0, section 4.4.2).
const headerSize = 12

// Sniff reads the header of what may be a GLB of size bytes, and says what is
// wrong with it. It returns nil when the header is good.
func Sniff(r io.Reader, size int64) error {
	var header [headerSize]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return fmt.Errorf("it has %d bytes, less than a header", size)
	}
	if string(header[:4]) != "glTF" {
		return fmt.Errorf("it begins with %q instead of \"glTF\"", header[:4])
	}
	if v := binary.LittleEndian.Uint32(header[4:]); v != 2 {
		return fmt.Errorf("it has version %d of the format instead of 2", v)
	}
	if n := binary.LittleEndian.Uint32(header[8:]); int64(n) != size {
		return fmt.Errorf("its header says %d bytes, it has %d", n, size)
	}
	return nil
}
