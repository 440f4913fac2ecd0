package accounts

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/charmap"

	"tagsweep/internal/accounts/filetest"
)

func spreadsheetExports(t *testing.T) []export {
	ids, numbers := im(1001, 1016), span("%d", 700310450, 700310465)
	return []export{
		{program: "Excel, CSV UTF-8", truth: ids, content: bom + rowsOf("user_id,name,since",
			"{},{name},11/1/2026 10:00", "\r\n", ids)},
		{program: "Excel, German, CSV", truth: ids, content: inEncoding(t, charmap.Windows1252,
			rowsOf("user_id;Vorname;Ort", "{};{name};Köln", "\r\n", ids))},
		{program: "Excel, workbook of numbers", truth: numbers, content: numberSheet(t, numbers)},
		{program: "Excel, workbook with two empty sheets", truth: ids, content: filetest.WorkbookWith(t,
			func(f *excelize.File) {
				for _, name := range []string{"Sheet2", "Sheet3"} {
					_, err := f.NewSheet(name)
					require.NoError(t, err)
				}
				rows := append([]string{"UserID"}, ids...)
				require.NoError(t, f.SetSheetCol("Sheet1", "A1", &rows))
			})},
		{program: "Excel, ID and mail", truth: ids, content: sheetOf(t, nil, "User ID|E-mail|Country",
			"{}|{mail}|France", ids)},
		{program: "LibreOffice, CSV", truth: ids, content: rowsOf("account,name,note", `{},{name},"asked, twice"`,
			"\n", ids), mayAsk: true},
		{program: "LibreOffice, workbook", truth: ids, content: officeSheet(t, ids)},
		{program: "LibreOffice, all text quoted", truth: ids, content: rowsOf(`"user_id","name","visits"`,
			`"{}","{name}",{n}`, "\n", ids)},
		{program: "Google Sheets, CSV", truth: ids,
			content: strings.TrimSpace(rowsOf("user_id,reason,date", `{},"left, no answer",{day}`, "\r\n", ids))},
		{program: "Google Sheets, TSV", truth: numbers,
			content: strings.TrimSpace(rowsOf("User ID\tReason\tDate", "{}\tleft\t{day}", "\r\n", numbers))},
		{program: "Numbers, CSV with empty columns and rows", truth: ids, aside: 4,
			content: rowsOf("user_id,name,,,,,", "{},{name},,,,,", "\r\n", ids) + strings.Repeat(",,,,,,\r\n", 4)},
		{program: "Airtable, CSV", truth: ids, content: bom + rowsOf("User ID,Notes,Date",
			"{},\"called\ntwice\",{day}", "\n", ids)},
		{program: "Notion, CSV", truth: ids, content: bom + rowsOf("Task,User ID,Tags",
			`"Clear, please",{},"churned, vip"`, "\n", ids)},
		{program: "pandas, with index", truth: ids, content: rowsOf(",user_id,score", "{n},{},0.{n}5", "\n", ids)},
		{program: "pandas, without index", truth: ids, content: rowsOf("user_id,last_seen,score",
			"{},{day} 10:00:00,0.{n}5", "\n", ids)},
		{program: "Python csv.writer", truth: numbers, content: rowsOf("user_id,reason", "{},churned", "\r\n",
			numbers)},
		{program: "R, write.csv", truth: ids, content: rowsOf(`"","user_id","days"`, `"{n}","{}",{count}`, "\n", ids)},
		{program: "R, write.table with tabs", mayAsk: true, truth: ids, content: rowsOf("\"user_id\"\t\"days\"",
			"\"{n}\"\t\"{}\"\t{count}", "\n", ids)},
		{program: "R, write.table with spaces", mayAsk: true, truth: ids, content: rowsOf(`"user_id" "days"`,
			`"{n}" "{}" {count}`, "\n", ids)},
		{program: "Power BI, CSV", truth: ids, content: bom + rowsOf("user_id,Sum of visits", "{},{n}", "\r\n", ids)},
		{program: "Tableau, crosstab", truth: ids, content: inEncoding(t, utf16LE,
			rowsOf("User Id\tVisits", "{}\t{n}", "\r\n", ids))},
		{program: "Grafana, CSV for Excel", truth: ids, content: "sep=,\r\n" +
			rowsOf(`"user_id","Value"`, `"{}",{n}`, "\r\n", ids)},
	}
}

// officeSheet is a workbook as LibreOffice writes it: it says of every row and column that it is not hidden.
func officeSheet(t *testing.T, accounts []string) string {
	rows := ""
	for i, account := range append([]string{"user_id"}, accounts...) {
		rows += fmt.Sprintf(`<row r="%d" customFormat="false" ht="12.8" hidden="false" customHeight="false" `+
			`outlineLevel="0" `+
			`collapsed="false"><c r="A%d" s="0" t="inlineStr"><is><t xml:space="preserve">%s</t></is></c></row>`, i+1,
			i+1, account)
	}
	return filetest.Sheet(t, rows)
}

// numberSheet is a column of numbers that a person typed into Excel.
func numberSheet(t *testing.T, numbers []string) string {
	return filetest.Sheet(t, filetest.Texted("user_id")+filetest.Numbers(numbers...))
}

func databaseExports(t *testing.T) []export {
	ids, numbers := im(3001, 3016), span("%d", 90211004, 90211019)
	return []export{
		{program: "MySQL, batch output", truth: ids, content: rowsOf("user_id\tnickname\tcreated_at",
			"{}\t{name}\t{day} 10:00:00", "\n", ids)},
		{program: "MySQL, batch output of one column", truth: numbers, content: rowsOf("user_id", "{}", "\n", numbers)},
		{program: "MySQL, OUTFILE", mayAsk: true, truth: ids, content: rowsOf("", "{n}\t{}\t{name}\t\\N", "\n", ids)},
		{program: "MySQL, table on screen", mayAsk: true, truth: ids,
			content: "+---------+-------+\n| user_id | count |\n+---------+-------+\n" +
				rowsOf("", "| {} |     {count} |", "\n", ids) + "+---------+-------+\n16 rows in set (0.00 sec)\n"},
		{program: "phpMyAdmin, CSV", truth: ids, content: rowsOf(`"user_id","email","created_at"`,
			`"{}","{mail}","{day} 10:00:00"`, "\n", ids)},
		{program: "phpMyAdmin, CSV for Excel", truth: ids, content: rowsOf(`"user_id";"email";"deleted"`,
			`"{}";"{mail}";NULL`, "\r\n", ids)},
		{program: `psql, \copy csv header`, truth: ids, content: rowsOf("user_id,reason,created_at",
			"{},left,{day} 10:00:00+00", "\n", ids)},
		{program: "psql, unaligned", truth: ids, aside: 1, content: rowsOf("user_id|visits", "{}|{n}", "\n", ids) +
			"(16 rows)\n", mayAsk: true},
		{program: "psql, tuples only", truth: ids, content: rowsOf("", "{}", "\n", ids)},
		{program: "psql, aligned", mayAsk: true, truth: ids, content: " user_id | visits \n---------+--------\n" +
			rowsOf("", " {} |      {count}", "\n", ids) + "(16 rows)\n\n"},
		{program: "SQL Server, bcp of one column", truth: numbers, content: rowsOf("", "{}", "\r\n", numbers)},
		{program: "SQL Server, SSMS results", mayAsk: true, truth: ids,
			content: bom + rowsOf("", "{},{name},{day} 10:00:00.000,NULL", "\r\n", ids)},
		{program: "SQL Server, sqlcmd", mayAsk: true, truth: ids,
			content: "user_id,visits\r\n-------,------\r\n" + rowsOf("", "{},{n}", "\r\n", ids) +
				"\r\n(16 rows affected)\r\n"},
		{program: "Oracle, SQL*Plus markup csv", mayAsk: true, truth: ids,
			content: "\n" + rowsOf(`"USER_ID","VISITS"`, `"{}",{n}`, "\n", ids) + "\n16 rows selected.\n\n"},
		{program: "Oracle, SQL Developer", truth: ids, content: rowsOf(`"USER_ID","VISITS"`, `"{}",{n}`, "\n", ids)},
		{program: "SQLite, .mode csv", truth: ids, content: rowsOf("user_id,visits", "{},{n}", "\r\n", ids)},
		{program: "SQLite, .mode list", truth: ids, content: rowsOf("user_id|visits", "{}|{n}", "\n", ids)},
		{program: "MongoDB, mongoexport", mayAsk: true, truth: ids, content: rowsOf("_id,userId,nick",
			"ObjectId({hex}),{},{name}", "\n", ids)},
		{program: "MongoDB, mongoexport of one field", truth: hexes(12), content: rowsOf("user_id", "{}", "\n",
			hexes(12))},
		{program: "Redis, SMEMBERS raw", truth: ids, content: rowsOf("", "{}", "\n", ids)},
		{program: "Redis, SMEMBERS on screen", mayAsk: true, truth: ids, content: rowsOf("", `{n}) "{}"`, "\n", ids)},
		{program: "Kibana, CSV report", truth: ids,
			content: rowsOf(`"@timestamp","user_id",event`, `"Nov {n}, 2026 @ 10:00:00.000","{}",logout`, "\n", ids)},
		{program: "BigQuery, CSV", truth: numbers, content: rowsOf("user_id,first_seen", "{},{day} 10:00:00 UTC",
			"\n", numbers)},
		{program: "Athena, CSV", truth: ids, content: rowsOf(`"user_id","visits"`, `"{}","{n}"`, "\n", ids)},
		{program: "ClickHouse, CSVWithNames", truth: ids, content: rowsOf(`"user_id","visits"`, `"{}",{n}`, "\n", ids)},
		{program: "Hive, with table names", mayAsk: true, truth: ids, content: rowsOf("t.user_id\tt.visits",
			"{}\t{n}", "\n", ids)},
		{program: "Trino, CSV without header", mayAsk: true, truth: ids, content: rowsOf("", `"{}","{n}"`, "\n", ids)},
		{program: "Metabase, CSV", truth: ids, content: rowsOf("user_id,count", "{},{n}", "\n", ids)},
		{program: "DBeaver, CSV", truth: numbers, content: rowsOf("user_id,tag,updated_at",
			"{},vip,{day} 10:00:00.000", "\n", numbers)},
	}
}

func serviceExports(*testing.T) []export {
	ids := im(5001, 5014)
	okta := span("00u1ab%dCDefGH5d7", 1101, 1114)
	var auth0, firebase, shopify []string
	for i := range 14 {
		auth0 = append(auth0, "auth0|"+hexOf(i))
		firebase = append(firebase, "Zk"+hexOf(i)[:20]+"Qw3x1")
		shopify = append(shopify, span("%d", 6940095562001, 6940095562014)[i])
	}
	salesforce := "\n\n\"Clear tags November\"\n\"Copyright (c) 2000-2026 salesforce.com, inc. All rights " +
		"reserved.\"\n" +
		"\"Confidential Information - Do Not Distribute\"\n\"Generated By:  Ann Lee  11/30/2026 8:00 AM\"\n\"Example " +
		"Ltd\"\n"
	return []export{
		{program: "Zendesk, users", mayAsk: true, truth: ids,
			content: rowsOf("Id,Name,Email,External Id,Role,Created At",
				"38012{n}7745,{name},{mail},{},end-user,{day}T10:00:00Z", "\n", ids)},
		{program: "Freshdesk, contacts", mayAsk: true, truth: ids,
			content: rowsOf("Full name,Title,Email,Work phone,Unique External ID",
				"{name},,{mail},{phone},{}", "\n", ids)},
		{program: "Intercom, people", mayAsk: true, truth: ids,
			content: rowsOf("Name,Owner,Email,User ID,First Seen (UTC)",
				"{name},Ann Lee,{mail},{},{day} 10:00", "\n", ids)},
		{program: "Shopify, customers", mayAsk: true, truth: shopify, content: rowsOf(
			"Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Default Address Phone,Total Orders,Tags",
			"'{},{name},Lee,{mail},yes,{phone},{count},\"vip, old\"", "\n", shopify)},
		{program: "Keycloak, kcadm csv", mayAsk: true, truth: ids, content: rowsOf("", `"{uuid}","{}",true`, "\n",
			ids)},
		{program: "Okta, users", mayAsk: true, truth: okta,
			content: rowsOf("User Id,First Name,Last Name,Email,Login,Status",
				"{},{name},Lee,{mail},{mail},ACTIVE", "\r\n", okta)},
		{program: "Auth0, users", mayAsk: true, truth: auth0, content: rowsOf(`"user_id","email","created_at"`,
			`"{}","{mail}","{day}T10:00:00.000Z"`, "\n", auth0)},
		{program: "Salesforce, report", mayAsk: true, truth: ids, content: rowsOf(`"First Name","User ID","Last Login"`,
			`"{name}","{}","11/1/2026"`, "\n", ids) + salesforce},
		{program: "Salesforce, Data Loader", mayAsk: true, truth: ids, content: rowsOf(`"ID","IM_USERID__C","LASTNAME"`,
			`"0035g00000{n}XyZAAV","{}","Lee"`, "\n", ids)},
		{program: "HubSpot, contacts", mayAsk: true, truth: ids, content: rowsOf(
			"Record ID,First Name,Last Name,Email,Phone Number,Contact owner,IM User ID",
			"51{n}20033,{name},Lee,{mail},,Ann Lee (ann@example.com),{}", "\n", ids)},
		{program: "Firebase, auth:export", mayAsk: true, truth: firebase, content: rowsOf("",
			"{},{mail},true,aGFzaA==,c2FsdA==,{name},,,,,,,,,,,,,,,,,,1730419200000,1730419300000,,", "\n", firebase)},
		{program: "AWS Cognito, users", mayAsk: true, truth: ids, content: rowsOf(
			"name,email,email_verified,phone_number,phone_number_verified,updated_at,cognito:mfa_enabled,cognito:username",
			"{name},{mail},true,,false,,false,{}", "\n", ids)},
		{program: "Mixpanel, cohort", mayAsk: true, truth: ids, content: rowsOf("Distinct ID,Name,Email,Last Seen",
			"{},{name},{mail},{day}T10:00:00", "\n", ids)},
		{program: "Amplitude, cohort", mayAsk: true, truth: ids, content: rowsOf("user_id,amplitude_id",
			"{},4455{n}0017", "\n", ids)},
		{program: "Braze, segment", truth: ids, content: rowsOf("user_id,country,last_used", "{},FR,{day}", "\n", ids)},
		{program: "OneSignal, subscriptions", mayAsk: true, truth: ids,
			content: rowsOf("player_id,external_user_id,device_type",
				"{uuid},{},1", "\n", ids)},
	}
}
