package tim

import (
	"context"
	"encoding/json"
)

// Family is one of the two sets of commands that do the same. Whether they
// share one store of tags is not documented, so an app chooses its own.
type Family string

const (
	AllMemberPush Family = "all_member_push" // v4/all_member_push/im_…
	TIMPush       Family = "timpush"         // v4/timpush/…, its successor
)

// Command is a call, under one name for both families.
type Command string

const (
	RemoveAllTags Command = "remove_all_tags"
	GetTags       Command = "get_tags"
	AddTags       Command = "add_tags"
	RemoveTags    Command = "remove_tags"
)

// Commands lists every command. Each has its own limit of calls a second.
var Commands = []Command{RemoveAllTags, GetTags, AddTags, RemoveTags}

// paths are those of docs/tim-api.md sections 2 and 6; only the removal of all
// tags is plural in the older family.
var paths = map[Family]map[Command]string{
	AllMemberPush: {
		RemoveAllTags: "/v4/all_member_push/im_remove_all_tags",
		GetTags:       "/v4/all_member_push/im_get_tag",
		AddTags:       "/v4/all_member_push/im_add_tag",
		RemoveTags:    "/v4/all_member_push/im_remove_tag",
	},
	TIMPush: {
		RemoveAllTags: "/v4/timpush/clear_all_tags",
		GetTags:       "/v4/timpush/get_tag",
		AddTags:       "/v4/timpush/add_tag",
		RemoveTags:    "/v4/timpush/remove_tag",
	},
}

// Limits of one call (docs/tim-api.md section 2).
const (
	MaxAccounts = 100 // accounts in a call
	MaxTags     = 10  // tags for one account in an AddTags or RemoveTags call
	MaxTagBytes = 50  // bytes of a tag
	MaxStored   = 100 // tags an account can have
)

// AccountTags are an account and tags of it.
type AccountTags struct {
	Account string   `json:"To_Account"`
	Tags    []string `json:"Tags"`
}

// RemoveAllTags removes every tag of up to MaxAccounts accounts, which must be
// valid UTF-8. The random number identifies the call in the service's logs; the
// service does not promise to recognise a repetition by it.
func (c *Client) RemoveAllTags(ctx context.Context, random uint32, accounts []string) Answer {
	_, answer := c.call(ctx, RemoveAllTags, random, accounts, toAccounts(accounts))
	return answer
}

// GetTags reads the tags of up to MaxAccounts accounts. The map holds what was
// answered and nothing else: an account without tags has an empty list, an
// account the service left out is missing.
func (c *Client) GetTags(ctx context.Context, random uint32, accounts []string) (map[string][]string, Answer) {
	said, answer := c.call(ctx, GetTags, random, accounts, toAccounts(accounts))
	if !answer.OK() {
		return nil, answer
	}
	tags := make(map[string][]string, len(said.UserTags))
	for _, user := range said.UserTags {
		if known, again := tags[user.Account]; again {
			user.Tags = append(known, user.Tags...)
		}
		if user.Tags == nil {
			user.Tags = []string{}
		}
		tags[user.Account] = user.Tags
	}
	for _, e := range answer.AccountErrors {
		delete(tags, e.Account)
	}
	return tags, answer
}

// AddTags adds tags to up to MaxAccounts accounts, each named once, at most
// MaxTags for each; tags it has already do no harm. Accounts and tags must be
// valid UTF-8.
func (c *Client) AddTags(ctx context.Context, random uint32, tags []AccountTags) Answer {
	return c.callTags(ctx, AddTags, random, tags)
}

// RemoveTags removes tags of up to MaxAccounts accounts, each named once, and
// leaves their other tags. How many tags of an account it takes is not
// documented; MaxTags, as for adding, are the careful choice.
func (c *Client) RemoveTags(ctx context.Context, random uint32, tags []AccountTags) Answer {
	return c.callTags(ctx, RemoveTags, random, tags)
}

func (c *Client) callTags(ctx context.Context, command Command, random uint32, tags []AccountTags) Answer {
	accounts := make([]string, len(tags))
	for i, t := range tags {
		accounts[i] = t.Account
	}
	_, answer := c.call(ctx, command, random, accounts, encode(map[string]any{"UserTags": tags}))
	return answer
}

func toAccounts(accounts []string) []byte {
	return encode(map[string]any{"To_Account": accounts})
}

func encode(body map[string]any) []byte {
	encoded, err := json.Marshal(body)
	if err != nil {
		panic("tim: " + err.Error()) // strings and lists of them always encode
	}
	return encoded
}
