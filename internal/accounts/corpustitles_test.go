package accounts

import (
	"fmt"
	"strings"
	"testing"
)

// titleSpecimens have a title or lines of keys and values above the header, or below the rows.
func titleSpecimens(t *testing.T) (list []specimen) {
	truth := im(1001, 1014)
	for i, title := range strings.Split("Users|Login|Accounts|Members|User list|Account|account_list|UserID|user_id "+
		"list|VIP|November_2026|用户|账号|用户名单|"+
		"Benutzer|Utilisateurs|Usuarios|Пользователи|ユーザー|사용자|Người dùng|Üyeler|المستخدمون|ผู้ใช้|2026-11-30|20261130|"+
		"Report 7|im_list|sheet_1", "|") {
		add := func(name, content string) {
			list = append(list, specimen{kind: "K29", name: fmt.Sprintf("%02d-%s", i, name), content: content,
				truth: truth})
		}
		add("alone.csv", title+"\n"+rowsOf("name,user_id,city", "{name},{},Rome", "\n", truth))
		add("padded.csv", title+",,\n"+rowsOf("name,user_id,city", "{name},{},Rome", "\n", truth))
		add("gap.csv", title+"\n\n"+rowsOf("user_id;name", "{};{name}", "\r\n", truth))
		add("one-column.txt", title+"\n"+rowsOf("user_id", "{}", "\n", truth))
		add("unsure.csv", title+"\n"+rowsOf("member,city", "{},Rome", "\n", truth))
		add("book.xlsx", sheetOf(t, [][]any{{title}}, "name|user_id|city", "{name}|{}|Rome", truth))
		add("book-gap.xlsx", sheetOf(t, [][]any{{}, {nil, title}, {}}, "用户ID|昵称", "{}|{姓名}", truth))
	}
	for i, pair := range strings.Split("Exported by|ann_1\nOperator|admin_7\nUser|ann\nuser_id|admin_7\nAccount|"+
		"acme_1\n导出人|admin_7\n操作员账号|admin_7\n"+
		"Erstellt von|ann_1\nBenutzer|ann_1\nExporté par|ann_1\nUsuario|ann_1\nПользователь|ann_1\n作成者|ann_1\n작성자|"+
		"ann_1\nNgười tạo|ann_1\n"+
		"Oluşturan|ann_1\nCount|14\nDate|2026-11-30\nFilter|vip\nTenant|im_77", "\n") {
		key, value, _ := strings.Cut(pair, "|")
		add := func(name, content string) {
			list = append(list, specimen{kind: "K32", name: fmt.Sprintf("%02d-%s", i, name), content: content,
				truth: truth, arguable: im(77, 77)})
		}
		add("above.csv", key+","+value+"\nCreated,2026-11-30\n"+rowsOf("name,user_id", "{name},{}", "\n", truth))
		add("above-padded.csv", key+","+value+",\n"+rowsOf("user_id,name,city", "{},{name},Rome", "\n", truth))
		add("above-gap.csv", key+";"+value+"\n\n"+rowsOf("user_id;name", "{};{name}", "\r\n", truth))
		add("colon.csv", key+": "+value+"\n"+rowsOf("user_id,name", "{},{name}", "\n", truth))
		add("comment.csv", "# "+key+": "+value+"\n"+rowsOf("user_id,name", "{},{name}", "\n", truth))
		add("below.csv", rowsOf("name,user_id", "{name},{}", "\n", truth)+key+","+value+"\n")
		add("below-gap.csv", rowsOf("user_id,name", "{},{name}", "\n", truth)+"\n"+key+","+value+"\n")
		add("above.tsv", key+"\t"+value+"\n"+rowsOf("name\tmember", "{name}\t{}", "\n", truth))
		add("book.xlsx", sheetOf(t, [][]any{{key, value}, {"Filter", "vip"}}, "name|user_id", "{name}|{}", truth))
		add("book-gap.xlsx", sheetOf(t, [][]any{{key, value}, {}}, "用户ID|昵称", "{}|{姓名}", truth))
	}
	return list
}
