package yang

// documents are configurations with the faults that they have.
var documents = []struct {
	name    string
	xml     string
	faults  []string
	differs string // why yanglint sees it the other way
}{
	{name: "nothing", xml: top(``)},
	{name: "int8", xml: top(`<i8>-128</i8>`)},
	{name: "int8 with blanks and zeros", xml: top(`<i8> +007 </i8>`)},
	{name: "int8 too large", xml: top(`<i8>128</i8>`), faults: []string{`/kinds:top/i8: "128" is no int8: only -128..127 is allowed`}},
	{name: "int8 of letters", xml: top(`<i8>x</i8>`), faults: []string{`/kinds:top/i8: "x" is no int8: this is not a number`}},
	{name: "int8 empty", xml: top(`<i8/>`), faults: []string{`/kinds:top/i8: "" is no int8: this is not a number`}},
	{name: "int8 in hex", xml: top(`<i8>0x10</i8>`), faults: []string{`/kinds:top/i8: "0x10" is no int8: this is not a number`}},
	{name: "uint64", xml: top(`<u64>18446744073709551615</u64>`)},
	{name: "uint64 too large", xml: top(`<u64>18446744073709551616</u64>`), faults: []string{`/kinds:top/u64: "18446744073709551616" is no uint64: the number is too large`}},
	{name: "uint64 negative", xml: top(`<u64>-1</u64>`), faults: []string{`/kinds:top/u64: "-1" is no uint64: only 0..18446744073709551615 is allowed`}},
	{name: "range of a range", xml: top(`<steps>30</steps>`)},
	{name: "range of a range, max", xml: top(`<steps>100</steps>`)},
	{name: "range of a range, between", xml: top(`<steps>21</steps>`), faults: []string{`/kinds:top/steps: "21" is no steps (uint8): only 10..20 | 30 | 90..100 is allowed`}},
	{name: "range of the base", xml: top(`<steps>101</steps>`), faults: []string{`/kinds:top/steps: "101" is no steps (uint8): only 10..20 | 30 | 90..100 is allowed`}},
	{name: "decimal64", xml: top(`<dec>-1.50</dec>`)},
	{name: "decimal64 single", xml: top(`<dec>20.25</dec>`)},
	{name: "decimal64 out", xml: top(`<dec>-1.51</dec>`), faults: []string{`/kinds:top/dec: "-1.51" is no decimal64: only -1.5..10.0 | 20.25 is allowed`}},
	{name: "decimal64 too fine", xml: top(`<dec>1.234</dec>`), faults: []string{`/kinds:top/dec: "1.234" is no decimal64: more than 2 digits follow the point`}},
	{name: "decimal64 without digits", xml: top(`<dec>1.</dec>`), faults: []string{`/kinds:top/dec: "1." is no decimal64: this is not a number`}},
	{name: "string", xml: top(`<word>abc</word>`)},
	{name: "string too short", xml: top(`<word>ab</word>`), faults: []string{`/kinds:top/word: "ab" is no word (string): it has 2 letters; only 3..5 are allowed`}},
	{name: "string too long", xml: top(`<word>abcdef</word>`), faults: []string{`/kinds:top/word: "abcdef" is no word (string): it has 6 letters; only 3..5 are allowed`}},
	{name: "pattern", xml: top(`<word>aBc</word>`), faults: []string{`/kinds:top/word: "aBc" is no word (string): it doesn't match the pattern [a-z]+`}},
	{name: "pattern inverted", xml: top(`<word>badly</word>`), faults: []string{`/kinds:top/word: "badly" is no word (string): what matches the pattern bad.* is not allowed`}},
	{name: "pattern that may be empty", xml: top(`<hex/>`)},
	{name: "pattern of groups", xml: top(`<hex>a0:Ff</hex>`)},
	{name: "pattern of groups, half", xml: top(`<hex>a0:F</hex>`), faults: []string{`/kinds:top/hex: "a0:F" is no string: it doesn't match the pattern ([0-9a-fA-F]{2}(:[0-9a-fA-F]{2})*)?`}},
	{name: "a secret is not told", xml: top(`<shared-secret>hunter2</shared-secret>`), faults: []string{`/kinds:top/shared-secret: the value is no string: it has 7 letters; only 8..64 are allowed`}},
	{name: "pattern of categories", xml: top(`<category>Ä1</category>`)},
	{name: "pattern of categories, small", xml: top(`<category>ä1</category>`), faults: []string{`/kinds:top/category: "ä1" is no string: it doesn't match the pattern \p{Lu}\P{L}`}},
	{name: "letters are not bytes", xml: top(`<any-text>äö</any-text>`)},
	{name: "length of a deviation", xml: top(`<any-text>abc</any-text>`), faults: []string{`/kinds:top/any-text: "abc" is no string: it has 3 letters; only 0..2 are allowed`}},
	{name: "boolean", xml: top(`<bool>true</bool>`)},
	{name: "boolean 1", xml: top(`<bool>1</bool>`), faults: []string{`/kinds:top/bool: "1" is no boolean: only true and false are allowed`}},
	{name: "empty", xml: top(`<flag/>`)},
	{name: "empty with text", xml: top(`<flag>x</flag>`), faults: []string{`/kinds:top/flag: "x" is no empty: the leaf must be empty`}},
	{name: "enumeration", xml: top(`<colour>green</colour>`)},
	{name: "enumeration, another", xml: top(`<colour>pink</colour>`), faults: []string{`/kinds:top/colour: "pink" is no enumeration: only red, green are allowed`}},
	{name: "enumeration, a feature is off", xml: top(`<colour>blue</colour>`), faults: []string{`/kinds:top/colour: "blue" is no enumeration: only red, green are allowed`}},
	{name: "enumeration, narrowed", xml: top(`<hue>dark</hue>`)},
	{name: "enumeration, narrowed away", xml: top(`<hue>light</hue>`), faults: []string{`/kinds:top/hue: "light" is no tone (enumeration): only dark are allowed`}},
	{name: "bits, narrowed away", xml: top(`<access>read write</access>`), faults: []string{`/kinds:top/access: "read write" is no rights (bits): only read are allowed, each once`}},
	{name: "bits", xml: top(`<bits>c  a</bits>`)},
	{name: "bits, none", xml: top(`<bits/>`)},
	{name: "bits, another", xml: top(`<bits>a d</bits>`), faults: []string{`/kinds:top/bits: "a d" is no bits: only a, b, c are allowed, each once`}},
	{name: "bits, twice", xml: top(`<bits>a a</bits>`), faults: []string{`/kinds:top/bits: "a a" is no bits: only a, b, c are allowed, each once`}},
	{name: "binary", xml: top(`<bin>YWJj</bin>`)},
	{name: "binary too long", xml: top(`<bin>YWJjZA==</bin>`), faults: []string{`/kinds:top/bin: "YWJjZA==" is no binary: it has 4 bytes; only 1..3 are allowed`}},
	{name: "binary, no base64", xml: top(`<bin>YW!j</bin>`), faults: []string{`/kinds:top/bin: "YW!j" is no binary: this is no base64`}},
	{name: "identityref", xml: top(`<shape>circle</shape>`)},
	{name: "identityref with a prefix", xml: top(`<shape xmlns:q="urn:test:kinds">q:round</shape>`)},
	{name: "identityref of another module", xml: top(`<shape xmlns:m="urn:test:more">m:square</shape>`)},
	{name: "identityref, its base", xml: top(`<shape>shape</shape>`), faults: []string{`/kinds:top/shape: "shape" is no identityref: the identity shape is not derived from shape`}},
	{name: "identityref, another base", xml: top(`<shape>colour</shape>`), faults: []string{`/kinds:top/shape: "colour" is no identityref: the identity colour is not derived from shape`}},
	{name: "identityref, unknown", xml: top(`<shape>square</shape>`), faults: []string{`/kinds:top/shape: "square" is no identityref: the module kinds has no identity "square"`}},
	{name: "identityref, unknown prefix", xml: top(`<shape>m:square</shape>`), faults: []string{`/kinds:top/shape: "m:square" is no identityref: the prefix "m" is not declared; declare it by xmlns:m`}},
	{name: "identityref, unknown module", xml: top(`<shape xmlns:m="urn:none">m:square</shape>`), faults: []string{`/kinds:top/shape: "m:square" is no identityref: no module has the namespace "urn:none"`}},
	{name: "instance-identifier", xml: top(`<path xmlns:q="urn:test:kinds">/q:top/q:server[q:name='a/b:c']/q:ip</path>`)},
	{name: "instance-identifier, relative", xml: top(`<path>top</path>`), faults: []string{`/kinds:top/path: "top" is no instance-identifier: an instance-identifier begins with / and names a node`}},
	{name: "union, the first", xml: top(`<mixed>15</mixed>`)},
	{name: "union, an enum", xml: top(`<mixed>none</mixed>`)},
	{name: "union, a leafref", xml: top(`<server><name>UPPER</name></server><mixed>UPPER</mixed>`)},
	{name: "union, nothing", xml: top(`<server><name>UPPER</name></server><mixed>LOWER</mixed>`), faults: []string{`/kinds:top/mixed: no type of the union takes "LOWER": what its leafrefs lead to has other values`}},
	{name: "leaf-list", xml: top(`<tag>b</tag><tag>a</tag><tag>c</tag>`)},
	{name: "leaf-list, too many", xml: top(`<tag>b</tag><tag>a</tag><tag>c</tag><tag>d</tag>`), faults: []string{`/kinds:top/tag: there are 4 of at most 3`}},
	{name: "leaf-list, twice", xml: top(`<number>7</number><number>07</number>`), faults: []string{`/kinds:top/number: "07" is there twice`}},
	{name: "list", xml: top(`<server><name>a</name><ip>1</ip><port><proto>tcp</proto><number>1</number></port><port><proto>udp</proto><number>1</number></port></server><server><name>b</name></server>`)},
	{name: "list, keys in another order", xml: top(`<server><ip>1</ip><name>a</name></server>`)},
	{name: "list, no key", xml: top(`<server><ip>1</ip></server>`), faults: []string{`/kinds:top/server: the entry has no key name`}},
	{name: "list, half a key", xml: top(`<server><name>a</name><port><proto>tcp</proto></port></server>`), faults: []string{`/kinds:top/server[name='a']/port[proto='tcp']: the entry has no key number`}},
	{name: "list, twice", xml: top(`<server><name>a</name><port><proto>x</proto><number>1</number></port><port><proto>x</proto><number>01</number></port></server>`), faults: []string{`/kinds:top/server[name='a']/port[proto='x'][number='01']: the entry is there twice`}},
	{name: "list, one key in two entries above", xml: top(`<server><name>a</name><port><proto>x</proto><number>1</number></port></server><server><name>b</name><port><proto>x</proto><number>1</number></port></server>`)},
	{name: "unique by the default", xml: top(`<server><name>a</name><ip>1</ip></server><server><name>b</name><ip>1</ip><vlan><id>1</id></vlan></server>`), faults: []string{`/kinds:top/server[name='b']: another entry has the same ip and id`}},
	{name: "unique, one differs", xml: top(`<server><name>a</name><ip>1</ip></server><server><name>b</name><ip>1</ip><vlan><id>2</id></vlan></server>`)},
	{name: "unique, one is missing", xml: top(`<server><name>a</name></server><server><name>b</name></server>`)},
	{name: "leafref", xml: top(`<use>a</use><server><name>a</name></server>`)},
	{name: "leafref to nothing", xml: top(`<server><name>a</name></server><use>b</use>`), faults: []string{`/kinds:top/use: nothing that ../server/name leads to is "b"`}},
	{name: "leafref with a predicate", xml: top(`<server><name>a</name><port><proto>x</proto><number>1</number></port></server><use>a</use><use-port>1</use-port>`)},
	{name: "leafref with a predicate to another", xml: top(`<server><name>a</name></server><server><name>b</name><port><proto>x</proto><number>1</number></port></server><use>a</use><use-port>1</use-port>`), faults: []string{`/kinds:top/use-port: nothing that /k:top/server[name = current()/../use]/port/number leads to is "1"`}},
	{name: "leafref, its type", xml: top(`<use-port>x</use-port>`), faults: []string{`/kinds:top/use-port: "x" is no leafref: this is not a number`}},
	{name: "leafref that may be loose", xml: top(`<use-loose>b</use-loose>`)},
	{name: "leafref to what is not in the document", xml: top(`<use-other>b</use-other>`), differs: "for us a document may be a part of the whole"},
	{name: "leafref to another part", xml: top(`<use-other>b</use-other>`) + `<elsewhere xmlns="urn:test:kinds"><thing>b</thing></elsewhere>`},
	{name: "leafref to nothing in another part", xml: top(`<use-other>b</use-other>`) + `<elsewhere xmlns="urn:test:kinds"><thing>c</thing></elsewhere>`, faults: []string{`/kinds:top/use-other: nothing that /k:elsewhere/k:thing leads to is "b"`}},
	{name: "leafref to a default", xml: top(`<use-default>d</use-default>`) + `<elsewhere xmlns="urn:test:kinds"/>`},
	{name: "leafref to a default that doesn't count", xml: top(`<use-default>d</use-default>`) + `<elsewhere xmlns="urn:test:kinds"><default-thing>e</default-thing></elsewhere>`, faults: []string{`/kinds:top/use-default: nothing that /k:elsewhere/k:default-thing leads to is "d"`}},
	{name: "leafref of an augment", xml: top(`<server><name>a</name><of xmlns="urn:test:more">a</of></server>`)},
	{name: "leafref of an augment to nothing", xml: top(`<server><name>a</name><of xmlns="urn:test:more">b</of></server>`), faults: []string{`/kinds:top/server[name='a']/kinds-more:of: nothing that ../k:name leads to is "b"`}},
	{name: "min-elements", xml: top(`<pairs><pair><id>1</id></pair></pairs>`), faults: []string{`/kinds:top/pairs/pair: there are 1 of at least 2`}},
	{name: "min-elements, none", xml: top(`<pairs/>`), faults: []string{`/kinds:top/pairs/pair: there are 0 of at least 2`}},
	{name: "max-elements", xml: top(`<pairs><pair><id>1</id></pair><pair><id>2</id></pair><pair><id>3</id></pair><pair><id>4</id></pair></pairs>`), faults: []string{`/kinds:top/pairs/pair: there are 4 of at most 3`}},
	{name: "case", xml: top(`<a1>x</a1><a2>y</a2>`)},
	{name: "case without what is mandatory in it", xml: top(`<a1>x</a1>`), faults: []string{`/kinds:top/a2: the leaf a2 is missing`}},
	{name: "two cases", xml: top(`<a2>y</a2><b/>`), faults: []string{`/kinds:top/b: it excludes what belongs to the case a of the choice how`}},
	{name: "two cases, short", xml: top(`<c>y</c><b/>`), faults: []string{`/kinds:top/b: it excludes what belongs to the case c of the choice how`}},
	{name: "two cases of a choice in a case", xml: top(`<d1>y</d1><d2>x</d2>`), faults: []string{`/kinds:top/d2: it excludes what belongs to the case d1 of the choice deeper`}},
	{name: "two cases, one of an augment", xml: top(`<d1>y</d1><e xmlns="urn:test:more">x</e>`), faults: []string{`/kinds:top/kinds-more:e: it excludes what belongs to the case deep of the choice how`}},
	{name: "cases of a grouping", xml: top(`<tcp/><sctp/>`), faults: []string{`/kinds:top/sctp: it excludes what belongs to the case tcp of the choice transport`}},
	{name: "augment", xml: top(`<extra xmlns="urn:test:more">x</extra>`)},
	{name: "anydata", xml: top(`<blob><what xmlns="urn:ever"><a>1</a></what></blob>`), differs: ""},
	{name: "state", xml: top(`<state>x</state>`), faults: []string{`/kinds:top/state: it is state, which only the device sets`}},
	{name: "leaf twice", xml: top(`<i8>1</i8><i8>2</i8>`), faults: []string{`/kinds:top/i8: the leaf is there twice`}},
	{name: "container twice", xml: top(`<pairs><pair><id>1</id></pair><pair><id>2</id></pair></pairs><pairs><pair><id>1</id></pair><pair><id>2</id></pair></pairs>`), faults: []string{`/kinds:top/pairs: the container is there twice`}},
	{name: "unknown", xml: top(`<wrod>abc</wrod>`), faults: []string{`/kinds:top/wrod: no model has wrod in top`}},
	{name: "unknown at the top", xml: `<topp xmlns="urn:test:kinds"/>`, faults: []string{`/topp: no model has topp at the top`}},
	{name: "another namespace", xml: top(`<extra>x</extra>`), faults: []string{`/kinds:top/extra: extra is not in the namespace "urn:test:kinds"`}},
	{name: "text in a container", xml: top(`<b>x</b>`), faults: []string{`/kinds:top/b: a container holds no text`}},
	{name: "elements in a leaf", xml: top(`<word><b/></word>`), faults: []string{`/kinds:top/word: a leaf holds no elements`}},
	{name: "mandatory", xml: strict(`<needed>x</needed><with-when>y</with-when><inner><x>1</x><some>1</some></inner>`)},
	{name: "mandatory, all missing", xml: strict(``), faults: []string{
		`/kinds:strict/needed: the leaf needed is missing`,
		`/kinds:strict/inner: nothing of the choice one is there`,
		`/kinds:strict/inner/some: there are 0 of at least 1`,
	}},
	{name: "mandatory choice", xml: strict(`<needed>y</needed><inner><some>1</some></inner>`), faults: []string{`/kinds:strict/inner: nothing of the choice one is there`}},
	{name: "min-elements of a leaf-list", xml: strict(`<needed>y</needed><inner><x>1</x></inner>`), faults: []string{`/kinds:strict/inner/some: there are 0 of at least 1`}},
	{name: "mandatory in a container that is there", xml: strict(`<needed>y</needed><inner><x>1</x><some>1</some><other/></inner>`), faults: []string{`/kinds:strict/inner/other/not-asked: the leaf not-asked is missing`}},
	{name: "mandatory under a when that holds", xml: strict(`<needed>x</needed><inner><x>1</x><some>1</some></inner>`), differs: "conditions are not evaluated"},
	{name: "mandatory of a grouping", xml: `<keyed xmlns="urn:test:kinds"><id>30</id><needed>x</needed></keyed>`, faults: []string{`/kinds:keyed[id='30']/port: the leaf port is missing`}},
	{name: "key of a wrong type", xml: `<keyed xmlns="urn:test:kinds"><id>31</id><needed>x</needed><port>1</port></keyed>`, faults: []string{`/kinds:keyed[id='31']/id: "31" is no steps (uint8): only 10..20 | 30 | 90..100 is allowed`}},
	{name: "list at the top, twice", xml: keyed30 + keyed30, faults: []string{`/kinds:keyed[id='30']: the entry is there twice`}},

	{name: "the users of ssh", xml: `<services xmlns="http://clicon.org/controller">
  <ssh-users xmlns="http://clicon.org/ssh-users"><instance>ops</instance>
    <username><name>eric</name><ssh-key>ssh-rsa AAA...</ssh-key><role>admin</role></username>
    <username><name>alice</name><ssh-key>ssh-rsa AAA...</ssh-key><role>guest</role></username></ssh-users>
  <ssh-users xmlns="http://clicon.org/ssh-users"><instance>devs</instance><created><path>/devices</path></created>
    <username><name>kim</name><ssh-key>ssh-rsa AAA...</ssh-key><role>guest</role></username></ssh-users>
</services>`},
	{name: "the users of ssh, wrong", xml: `<services xmlns="http://clicon.org/controller">
  <ssh-users xmlns="http://clicon.org/ssh-users"><instance>ops</instance>
    <username><name>eric</name><sshkey>ssh-rsa AAA...</sshkey></username>
    <username><name>eric</name></username></ssh-users>
  <ssh-users><instance>devs</instance></ssh-users>
</services>`, faults: []string{
		`/clixon-controller:services/ssh-users:ssh-users[instance='ops']/username[name='eric']/sshkey: no model has sshkey in username`,
		`/clixon-controller:services/ssh-users:ssh-users[instance='ops']/username[name='eric']: the entry is there twice`,
		`/clixon-controller:services/ssh-users: ssh-users is not in the namespace "http://clicon.org/controller"`,
	}},
	{name: "system", xml: `<system xmlns="http://openconfig.net/yang/system"><config><hostname>r1.lab_x</hostname></config><aaa><authentication><users>
  <user><username>alice</username><config><username>alice</username><ssh-key>AAA</ssh-key><role>admin</role></config></user>
</users></authentication></aaa></system>`},
	{name: "system, wrong", xml: `<system xmlns="http://openconfig.net/yang/system"><config><hostname>r 1</hostname></config><aaa><authentication><users>
  <user><username>bob</username><config><username>alice</username><role/></config></user>
</users></authentication></aaa></system>`, faults: []string{
		`/openconfig-system:system/config/hostname: "r 1" is no string: it doesn't match the pattern [a-zA-Z0-9._\-]+`,
		`/openconfig-system:system/aaa/authentication/users/user[username='bob']/username: nothing that ../config/username leads to is "bob"`,
		`/openconfig-system:system/aaa/authentication/users/user[username='bob']/config/role: "" is no role-type (string): it has 0 letters; only 1..32 are allowed`,
	}},
	{name: "interfaces", xml: `<interfaces xmlns="http://openconfig.net/yang/interfaces"><interface><name>e0</name><config><name>e0</name><mtu>1500</mtu><enabled>false</enabled></config></interface></interfaces>`},
	{name: "interfaces, wrong", xml: `<interfaces xmlns="http://openconfig.net/yang/interfaces"><interface><name>e0</name><config><name>e0</name><mtu>67</mtu></config></interface></interfaces>`, faults: []string{
		`/openconfig-interfaces:interfaces/interface[name='e0']/config/mtu: "67" is no uint16: only 68..9600 is allowed`,
	}},
}

const keyed30 = `<keyed xmlns="urn:test:kinds"><id>30</id><needed>x</needed><port>1</port></keyed>`

func top(inside string) string { return `<top xmlns="urn:test:kinds">` + inside + `</top>` }

func strict(inside string) string { return `<strict xmlns="urn:test:kinds">` + inside + `</strict>` }
