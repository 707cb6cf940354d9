package fleetapi

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/url"
)

// pageSize is the number of items on a page, as fleet has it.
const pageSize = 100

// position is where a page begins: behind the name after, and for a token of
// fleet's own form behind the first skip items.
type position struct {
	after string
	skip  int
}

// ownToken begins our tokens. fleet's begin with the size of a page, and have
// four bytes, less than any of ours.
const ownToken = 1

// token names the page that goes on behind a name. It stays good whatever is
// created or deleted meanwhile, and is opaque to clients.
func token(after string) string {
	return base64.URLEncoding.EncodeToString(append([]byte{ownToken}, after...))
}

// pageOf reads where the wanted page begins. The errors are fleet's.
func pageOf(query url.Values) (position, error) {
	given := query["nextPageToken"]
	switch len(given) {
	case 0:
		return position{}, nil
	case 1:
	default:
		return position{}, errors.New("too many values for page token")
	}
	b, err := base64.URLEncoding.DecodeString(given[0])
	switch {
	case err != nil:
		return position{}, err
	case len(b) == 0:
		return position{}, errors.New("EOF")
	case len(b) < 4:
		return position{}, errors.New("unexpected EOF")
	case len(b) > 4 && b[0] == ownToken:
		return position{after: string(b[1:])}, nil
	}
	limit, page := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:])
	switch {
	case limit != pageSize:
		return position{}, errors.New("token limit must be 100")
	case page == 0:
		return position{}, errors.New("token page must be greater than zero")
	}
	return position{skip: (int(page) - 1) * pageSize}, nil
}

// cut makes a page of what a list offers from a position on, of which it gives
// one item more than fits if there is one.
func cut[T any](from position, offered []T, name func(T) string) (page []T, next string) {
	offered = offered[min(from.skip, len(offered)):]
	if len(offered) <= pageSize {
		return offered, ""
	}
	return offered[:pageSize], token(name(offered[pageSize-1]))
}

// want is how many items a list has to offer for a page.
func (p position) want() int { return p.skip + pageSize + 1 }
