package accounts

import (
	"fmt"
	"strings"
	"testing"
)

// accountHeaders are names of the account column in eleven languages, with those of an order
// number and of a phone number beside it.
var accountHeaders = []struct{ language, order, phone, names string }{
	{"English", "Order No.", "Phone",
		"User|Username|Login name|Member No.|Customer code|Account|Account ID|Player ID|" +
			"Subscriber ID|Handle|Client ref|Member"},
	{"German", "Bestellnummer", "Telefon",
		"Benutzer-ID|Nutzer-ID|Benutzerkennung|Benutzername|Kundennummer|Kunden-Nr.|" +
			"Mitgliedsnummer|Konto|Kontokennung|Nutzerkonto|Anmeldename"},
	{"French", "N° de commande", "Téléphone",
		"Identifiant|Identifiant utilisateur|ID utilisateur|N° client|Numéro de membre|" +
			"Compte|Nom d'utilisateur|Pseudo|Code adhérent|Utilisateur"},
	{"Spanish", "Pedido", "Teléfono", "ID de usuario|Usuario|Identificador|Cuenta|Nombre de usuario|Nº de socio|" +
		"Código de cliente|ID cliente|Identificador de usuario|Cuenta de usuario"},
	{"Portuguese", "Pedido", "Telefone", "ID do usuário|Usuário|Conta|Identificador do utilizador|Código do cliente|" +
		"Nome de usuário|Utilizador|Nº de sócio"},
	{"Russian", "Заказ", "Телефон",
		"ID пользователя|Пользователь|Логин|Учётная запись|Аккаунт|Идентификатор|Код клиента|" +
			"Имя пользователя|Номер участника"},
	{"Japanese", "注文番号", "電話番号",
		"ユーザーID|ユーザID|会員番号|会員ID|アカウント|アカウントID|ログインID|利用者ID|顧客コード|お客様番号"},
	{"Korean", "주문번호", "전화번호",
		"사용자ID|사용자 ID|아이디|회원ID|회원번호|계정|계정ID|고객번호|로그인 아이디"},
	{"Vietnamese", "Mã đơn hàng", "Số điện thoại",
		"Mã người dùng|ID người dùng|Tài khoản|Tên đăng nhập|Mã khách hàng|Mã thành viên"},
	{"Thai", "เลขที่คำสั่งซื้อ", "โทรศัพท์",
		"รหัสผู้ใช้|ไอดีผู้ใช้|บัญชีผู้ใช้|ชื่อผู้ใช้|รหัสสมาชิก|รหัสลูกค้า"},
	{"Arabic", "رقم الطلب", "الهاتف",
		"معرف المستخدم|رقم المستخدم|اسم المستخدم|الحساب|رقم العضو|رمز العميل"},
	{"Turkish", "Sipariş No", "Telefon",
		"Kullanıcı ID|Kullanıcı Kimliği|Kullanıcı adı|Hesap|Hesap No|Üye No|Müşteri kodu"},
	{"Traditional", "訂單編號", "電話",
		"使用者ID|用戶編號|會員編號|帳號|會員帳號|客戶代號|使用者帳號|玩家ID"},
	{"Simplified", "订单号", "手机号",
		"用户编号|会员号|会员ID|玩家ID|客户编号|账号|账户|帐号名称|用户标识|登录名"},
}

func namedSpecimens(*testing.T) (list []specimen) {
	orders := []string{"B-{n}0017", "20261101{n}00031", "SO00{n}", "{hex}"}
	kinds := [][]string{im(1001, 1018), span("kunde_%d", 20, 37), span("%d", 83120455, 83120472), hexes(18)}
	n := 0
	for _, h := range accountHeaders {
		for _, name := range strings.Split(h.names, "|") {
			n++
			truth, order := kinds[n%3], orders[n%len(orders)]
			sep := []string{";", ",", "\t"}[n%3]
			header, row := h.order+"{s}"+name, order+"{s}{}"
			switch n % 4 {
			case 1:
				header, row = name+"{s}"+h.phone+"{s}"+h.order, "{}{s}{phone}{s}"+order
			case 2:
				header, row = h.phone+"{s}"+name+"{s}x", "{phone}{s}{}{s}{name}"
			case 3:
				header, row = h.order+"{s}"+h.phone+"{s}"+name, order+"{s}{phone}{s}{}"
			}
			content := rowsOf(header, row, []string{"\n", "\r\n"}[n%2], truth)
			list = append(list, specimen{kind: "K5", name: fmt.Sprintf("%s-%03d", h.language, n), truth: truth,
				content: strings.ReplaceAll(content, "{s}", sep)})
		}
	}
	return list
}

// besideSpecimens have a column of somebody else's accounts beside the one that is meant.
func besideSpecimens(*testing.T) (list []specimen) {
	truth := im(1001, 1016)
	for i, h := range []struct{ header, row string }{
		{"银行卡号,用户UID", "62220202000000{n}7,{}"},
		{"开户行账号,姓名,会员ID", "62220202000000{n}7,{姓名},{}"},
		{"Bankkonto;Kunden-ID", "DE8937040044053201300{n};{}"},
		{"IBAN,Utilisateur", "FR76300060000112345678{n},{}"},
		{"bank_account,user_id", "4000123412{n}4,{}"},
		{"user_id,bank_account", "{},62220202000000{n}7"},
		{"推荐人ID,用户ID", "boss_{n},{}"},
		{"用户ID,邀请人ID", "{},boss_{n}"},
		{"上级账号,账号", "agent_{n},{}"},
		{"操作人,用户账号", "admin_{count},{}"},
		{"客服账号,客户账号", "kf_{count},{}"},
		{"创建人账号,成员", "im_900{n},{}"},
		{"群主UserID,群成员", "im_90{n},{}"},
		{"紹介者ID,会員ID", "boss_{n},{}"},
		{"추천인 아이디,아이디", "boss_{n},{}"},
		{"Пригласил,Пользователь", "boss_{n},{}"},
		{"Người giới thiệu,Tài khoản", "boss_{n},{}"},
		{"Werber;Geworbener", "boss_{n};{}"},
		{"Parrain;Filleul", "boss_{n};{}"},
		{"Invitado por,Invitado", "boss_{n},{}"},
		{"Davet eden,Üye", "boss_{n},{}"},
		{"المدعو من,العضو", "boss_{n},{}"},
		{"owner_id,member_id", "im_7{n},{}"},
		{"account_manager,account", "mgr_{count},{}"},
		{"created_by,assigned_to,customer", "u{n}a,u{n}b,{}"},
		{"referrer,user", "boss_{n},{}"},
		{"user_id,member", "-5{n}8812,{}"}, // the first is of the program that wrote the file
		{"user_id,merged_into_user_id", "{},im_70{n}"},
		{"parent_user_id,child_user_id", "im_70{n},{}"},
		{"sender_userid,receiver_userid", "im_70{n},{}"},
		{"Operator_Account,To_Account", "admin_{n},{}"},
		{"keep_user_id,remove_user_id", "im_7{n}00,{}"},
		{"user_id_keep,user_id_drop", "im_7{n}00,{}"},
		{"old_user_id,new_user_id", "im_7{n}00,{}"},
		{"保留账号,清除账号", "im_7{n}00,{}"},
		{"UserID(操作人),UserID(用户)", "op_{n},{}"},
		{"id,external_id", "9{n}0012,{}"},
		{"id,uid", "9{n}0012,{}"},
		{"_id,account", "{hex},{}"},
		{"session_id,user", "{hex},{}"},
		{"device_id,visitor,login_id", "{hex},v{n}x,{}"},
	} {
		list = append(list, specimen{kind: "K6", name: fmt.Sprintf("beside-%02d", i+1), truth: truth,
			content: rowsOf(h.header, h.row, []string{"\n", "\r\n"}[i%2], truth)})
	}
	return list
}

// twiceSpecimens have two columns with the same right to be the one, or two tables side by side.
func twiceSpecimens(t *testing.T) (list []specimen) {
	first, second := im(1001, 1012), im(3001, 3012)
	both := append(append([]string(nil), first...), second...)
	columns := func(name, header, row string, truth []string, expect string) {
		for i := range first {
			header += "\n" + strings.ReplaceAll(filled(row, first[i], i), "{2}", second[i])
		}
		list = append(list, specimen{kind: "K7", name: name, content: header + "\n", truth: truth, expect: expect})
	}
	for i, header := range []string{
		"账号1,账号2", "user_id,user_id", "UserID,UserId", "user_id,user_id.1", "user_id_x,user_id_y", "userid,UserID 2",
		"用户ID,用户ID", "user_id,USER_ID", "Account 1,Account 2", "Benutzer-ID,Benutzer-ID",
		"ID utilisateur,ID utilisateur",
		"ユーザーID,ユーザーID", "アカウント1,アカウント2", "사용자ID,사용자ID",
		"userid,userid_old", "a.user_id,b.user_id",
		"accounts,userids",
	} {
		columns(fmt.Sprintf("pair-%02d", i+1), header, "{},{2}", both, "asked: column or refused")
	}
	columns("side-by-side.csv", "user_id,name,,user_id,name", "{},Ann,,{2},Ben", both, "asked: column or refused")
	columns("side-by-side-cn.csv", "用户ID,昵称,,用户ID,昵称", "{},张三,,{2},李四", both, "asked: column or refused")
	columns("side-by-side-no-gap.csv", "user_id,name,user_id,name", "{},Ann,{2},Ben", both, "asked: column or refused")
	columns("two-lists-no-header.csv", "", "{},{2}", both, "asked or refused or aside")
	columns("two-lists-tabs.txt", "", "{}\t{2}", both, "asked or refused or aside")
	columns("same-twice.csv", "user_id,name,user_id", "{},{name},{}", first, "read")
	list[len(list)-3].content = strings.TrimPrefix(list[len(list)-3].content, "\n")
	list[len(list)-2].content = strings.TrimPrefix(list[len(list)-2].content, "\n")
	uneven := "user_id,name,,user_id,name\n"
	for i := range first {
		if i < 5 {
			uneven += first[i] + ",Ann,," + second[i] + ",Ben\n"
		} else {
			uneven += ",,," + second[i] + ",Ben\n"
		}
	}
	list = append(list, specimen{kind: "K7", name: "side-by-side-uneven.csv", content: uneven,
		truth: append(im(1001, 1005), second...), expect: "asked: column or refused"})
	later := "user_id,name,user_id_2\n" // the second column is filled only far below
	far := im(1001, 1300)
	for i, id := range far {
		if i < 280 {
			later += id + ",Ann,\n"
		} else {
			later += id + ",Ann," + fmt.Sprint("im_9", i) + "\n"
		}
	}
	list = append(list, specimen{kind: "K7", name: "second-filled-far-below.csv", content: later,
		truth: append(far, span("im_9%d", 280, 299)...), expect: "asked: column or refused"})
	return append(list,
		specimen{kind: "K7", name: "side-by-side.xlsx", truth: append(im(1, 9), span("vip_%d", 1, 9)...),
			expect:  "asked: column or refused",
			content: sheetOf(t, nil, "用户ID|城市||用户ID|城市", "{}|深圳||vip_{n}|北京", im(1, 9))},
		specimen{kind: "K7", name: "three-lists.xlsx", truth: append(append(im(1, 9), span("im_2%d", 1, 9)...),
			span("im_3%d", 1, 9)...),
			expect: "asked: column or refused", content: sheetOf(t, nil, "UserID|UserID|UserID", "{}|im_2{n}|im_3{n}",
				im(1, 9))})
}
