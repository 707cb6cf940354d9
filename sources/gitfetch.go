package sources

import (
	"context"
	"io"
	"os"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

const maxHaves = 256 // commits told to the server, so that it sends only what is new

// update brings the clone up to date and gives the commit that is wanted. open
// gives the store over the clone as it is at the time of the call.
func (m *mirror) update(ctx context.Context, open func(repoPaths) (*objectStore, error)) (plumbing.Hash, error) {
	ctx, cancel := context.WithTimeout(ctx, maxFetch)
	defer cancel()
	defer context.AfterFunc(m.life, cancel)()
	if err := m.prepare(); err != nil {
		return plumbing.ZeroHash, err
	}
	store, err := open(m.paths())
	if err != nil {
		return plumbing.ZeroHash, err
	}
	if m.opt.Ref.Commit != "" { // what it names never changes, so that no server need be asked twice
		if h, err := store.find(m.opt.Ref); err == nil && store.complete(h) == nil {
			return h, nil
		}
	}
	defer m.remote.hangUp()
	if h, ok, err := m.unmoved(ctx, store); err != nil {
		return plumbing.ZeroHash, m.explain(ctx, err)
	} else if ok {
		return m.settle([]plumbing.Hash{h}, open)
	}
	m.meter.allow(0)
	session, adv, err := m.remote.advertised(ctx)
	if err != nil {
		return plumbing.ZeroHash, m.explain(ctx, err)
	}
	wants, err := m.wants(adv, m.opt.Ref)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	if _, err = resolveRef(store, m.opt.Ref, wants); err == nil {
		return m.settle(wants, open)
	}
	haves := store.haves()
	if m.opt.Ref.Commit != "" {
		if wants, haves = store.split(wants); len(wants) == 0 { // all is here, but the commit is not among it
			return plumbing.ZeroHash, err
		}
	}
	count, bytes := m.packs()
	if count < m.most {
		if err := m.fetch(ctx, m.dir, bytes, session, adv, wants, haves); err != nil {
			return plumbing.ZeroHash, err
		}
		tip, err := m.settle(wants, open)
		if err == nil || m.opt.Ref.Commit != "" {
			return tip, err
		}
		// The clone is damaged, or the server misjudged what is here: clone anew.
	}
	return m.reclone(ctx, session, adv, wants, open)
}

// unmoved asks for nothing but the ref that is followed, and tells whether all
// that it leads to is here.
func (m *mirror) unmoved(ctx context.Context, store *objectStore) (plumbing.Hash, bool, error) {
	if _, err := store.follow(tipRef); err != nil || m.opt.Ref.Commit != "" {
		return plumbing.ZeroHash, false, nil
	}
	m.meter.allow(maxPeek)
	h, known, err := m.remote.peek(ctx, m.opt.Ref.name())
	if err != nil || !known {
		return plumbing.ZeroHash, false, err
	}
	_, err = resolveRef(store, m.opt.Ref, []plumbing.Hash{h})
	return h, err == nil, nil
}

// bring gives the commit of another ref than the one that is followed, fetched
// into the clone where it is not there yet.
func (m *mirror) bring(ctx context.Context, ref Ref, open func(repoPaths) (*objectStore, error)) (plumbing.Hash, error) {
	ctx, cancel := context.WithTimeout(ctx, maxFetch)
	defer cancel()
	defer context.AfterFunc(m.life, cancel)()
	if err := m.prepare(); err != nil {
		return plumbing.ZeroHash, err
	}
	store, err := open(m.paths())
	if err != nil {
		return plumbing.ZeroHash, err
	}
	if ref.Commit != "" {
		if h, err := store.find(ref); err == nil && store.complete(h) == nil {
			return h, nil
		}
	}
	defer m.remote.hangUp()
	m.meter.allow(0)
	session, adv, err := m.remote.advertised(ctx)
	if err != nil {
		return plumbing.ZeroHash, m.explain(ctx, err)
	}
	wants, err := m.wants(adv, ref)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	if h, err := resolveRef(store, ref, wants); err == nil {
		return h, nil
	}
	haves := store.haves()
	if ref.Commit != "" {
		var here []plumbing.Hash
		if wants, here = store.split(wants); len(wants) == 0 {
			return plumbing.ZeroHash, noCommit(ref.Commit)
		}
		haves = append(haves, here...)
	}
	_, bytes := m.packs()
	if err := m.fetch(ctx, m.dir, bytes, session, adv, wants, haves); err != nil {
		return plumbing.ZeroHash, err
	}
	if store, err = open(m.paths()); err != nil {
		return plumbing.ZeroHash, err
	}
	return resolveRef(store, ref, wants)
}

// reclone fetches everything into a new directory and exchanges it for the old.
func (m *mirror) reclone(ctx context.Context, session transport.UploadPackSession, adv *packp.AdvRefs, wants []plumbing.Hash, open func(repoPaths) (*objectStore, error)) (plumbing.Hash, error) {
	fresh := m.dir + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return plumbing.ZeroHash, m.diskError(err)
	}
	defer os.RemoveAll(fresh)
	if err := m.makeBare(fresh); err != nil {
		return plumbing.ZeroHash, m.diskError(err)
	}
	if err := m.fetch(ctx, fresh, 0, session, adv, wants, nil); err != nil {
		return plumbing.ZeroHash, err
	}
	if err := m.swap(fresh); err != nil {
		return plumbing.ZeroHash, m.diskError(err)
	}
	return m.settle(wants, open)
}

// settle finds the wanted commit after a fetch and remembers it.
func (m *mirror) settle(wants []plumbing.Hash, open func(repoPaths) (*objectStore, error)) (plumbing.Hash, error) {
	store, err := open(m.paths())
	if err != nil {
		return plumbing.ZeroHash, err
	}
	tip, err := resolveRef(store, m.opt.Ref, wants)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	if err := m.saveTip(m.dir, tip); err != nil {
		return plumbing.ZeroHash, m.diskError(err)
	}
	return tip, nil
}

// wants chooses the objects to ask for.
func (m *mirror) wants(adv *packp.AdvRefs, ref Ref) ([]plumbing.Hash, error) {
	if ref.Commit != "" {
		return wantsForCommit(adv, ref.Commit), nil
	}
	name, target := ref.name(), plumbing.HEAD
	if h, ok := adv.References[string(name)]; ok {
		return []plumbing.Hash{h}, nil
	}
	if name == plumbing.HEAD {
		if adv.Head != nil {
			return []plumbing.Hash{*adv.Head}, nil
		}
		if refs, err := adv.AllReferences(); err == nil && refs[plumbing.HEAD] != nil {
			target = refs[plumbing.HEAD].Target()
		}
	}
	var all []plumbing.ReferenceName
	for n := range adv.References {
		all = append(all, plumbing.ReferenceName(n))
	}
	return nil, missingRef(name, target, all)
}

// wantsForCommit asks for a commit itself where the server allows it, else for
// all branches and tags, one of which should lead to it.
func wantsForCommit(adv *packp.AdvRefs, digits string) []plumbing.Hash {
	if len(digits) == hashDigits && (adv.Capabilities.Supports(capability.AllowReachableSHA1InWant) || adv.Capabilities.Supports("allow-any-sha1-in-want")) {
		return []plumbing.Hash{plumbing.NewHash(digits)}
	}
	seen := map[plumbing.Hash]bool{}
	var wants []plumbing.Hash
	for n, h := range adv.References {
		if name := plumbing.ReferenceName(n); (name.IsBranch() || name.IsTag()) && !seen[h] {
			seen[h] = true
			wants = append(wants, h)
		}
	}
	return wants
}

// resolveRef finds the commit of a ref in the clone, if all that a snapshot begins
// with is there.
func resolveRef(store *objectStore, ref Ref, wants []plumbing.Hash) (tip plumbing.Hash, err error) {
	if ref.Commit != "" {
		tip, err = store.find(ref)
	} else {
		tip, err = store.peel(wants[0], ref)
	}
	if err != nil {
		return plumbing.ZeroHash, err
	}
	return tip, store.complete(tip)
}

// complete tells whether a commit and its tree are in the store.
func (s *objectStore) complete(h plumbing.Hash) error {
	c, err := s.commit(h)
	if err != nil {
		return err
	}
	_, err = s.tree(c.TreeHash)
	return err
}

// split parts hashes into those that are not in the store and those that are.
func (s *objectStore) split(hashes []plumbing.Hash) (missing, here []plumbing.Hash) {
	for _, h := range hashes {
		if err := s.read(plumbing.AnyObject, h, func(plumbing.EncodedObject) error { return nil }); err != nil {
			missing = append(missing, h)
		} else {
			here = append(here, h)
		}
	}
	return missing, here
}

// haves lists commits that the clone holds, the newest first.
func (s *objectStore) haves() []plumbing.Hash {
	tip, err := s.follow(tipRef)
	if err != nil || s.complete(tip) != nil {
		return nil
	}
	queue, seen := []plumbing.Hash{tip}, map[plumbing.Hash]bool{tip: true}
	for i := 0; i < len(queue) && len(queue) < maxHaves; i++ {
		c, err := s.commit(queue[i])
		if err != nil {
			continue
		}
		for _, p := range c.ParentHashes {
			if !seen[p] {
				seen[p] = true
				queue = append(queue, p)
			}
		}
	}
	return slices.Clip(queue)
}

// fetch asks for a pack and stores it in the repository at dir, which holds so
// many bytes already.
func (m *mirror) fetch(ctx context.Context, dir string, held int64, session transport.UploadPackSession, adv *packp.AdvRefs, wants, haves []plumbing.Hash) error {
	m.meter.allow(m.opt.MaxBytes - held)
	req := packp.NewUploadPackRequestFromCapabilities(adv.Capabilities)
	if adv.Capabilities.Supports(capability.NoProgress) {
		if err := req.Capabilities.Set(capability.NoProgress); err != nil {
			return m.explain(ctx, err)
		}
	}
	req.Wants, req.Haves = wants, haves
	res, err := session.UploadPack(ctx, req)
	if err != nil {
		return m.explain(ctx, err)
	}
	defer res.Close()
	if err := storePack(dir, demux(req.Capabilities, res), m.opt.MaxBlob); err != nil {
		return m.explain(ctx, err)
	}
	return nil
}

// demux takes the pack out of the channels it is sent in.
func demux(caps *capability.List, r io.Reader) io.Reader {
	switch {
	case caps.Supports(capability.Sideband64k):
		return sideband.NewDemuxer(sideband.Sideband64k, r)
	case caps.Supports(capability.Sideband):
		return sideband.NewDemuxer(sideband.Sideband, r)
	}
	return r
}
