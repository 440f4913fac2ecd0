package accounts

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestFormatsOfTextThatAreNoTablesAreNamed(t *testing.T) {
	for name, texts := range map[string][]string{
		"HTML": {"<!DOCTYPE html><p>x", "\ufeff\n <table border=1><tr><td>im_1001</td></tr></table>",
			"<html xmlns:x=\"urn:schemas-microsoft-com:office:excel\"><head></head>", "<META charset=gbk>\n<b>a</b>"},
		"XML": {"<?xml version=\"1.0\"?>\n<users/>", "<users><user id=\"im_1001\"/></users>",
			"<!-- of users --><users>",
			"<user id='1'/>", "<svg xmlns=\"x\">\n<a></a></svg>", "<?php echo 1;", "<ss:Workbook>\n</ss:Workbook>"},
		"JSON": {"[10001, 10002, 10003]", "{\"user_id\": \"im_1001\"}\n{\"user_id\": \"im_1002\"}",
			"[\n  10001,\n  10002\n]",
			"[\"im_1001\"]", "[[1,2]]", "[null, 1]", "[{\"id\":1}]", "{}", "[]", "[10001]", "['im_1001', 'im_1002']",
			"{id: 1}",
			")]}',\n[{\"id\":1}]", "// users\n{\"a\":1}", "[1.5e3,2]", "{ \"users\" :\n[]"},
		"JavaScript": {"var users = ['a'];", "const u = {\n", "callback({\"a\":1})"},
		"SQL": {"INSERT INTO users VALUES ('im_1001');",
			"-- MySQL dump 10.13\n--\n/*!40101 SET NAMES utf8 */;\nDROP TABLE IF EXISTS `u`;",
			"insert into `users`(`id`) values (1)", "CREATE TABLE users (id int)", "create table users(id int)",
			"/*\n Navicat Premium\n*/\n\nSET NAMES utf8mb4;",
			"--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;",
			"COPY public.users (id, name) FROM stdin;\nim_1001\tAnn", "BEGIN TRANSACTION;\nCREATE TABLE x(y);",
			"select id, name from users;",
			"SELECT * FROM users WHERE tag = 'x';", "USE [crm]\nGO\nINSERT [dbo].[u] ([id]) VALUES (1);",
			"UPDATE u SET a=1",
			"delete from users where id = 'im_1001';", "# dump\nALTER TABLE `u` DISABLE KEYS;",
			"BEGIN;\nINSERT INTO a VALUES(1);"},
		"EML": {"From: a@example.com\nTo: b@example.com\nSubject: list\n\nim_1001",
			"Received: from mx.example.com\n\tby y\n",
			"MIME-Version: 1.0\r\nContent-Type: text/plain\r\n", "Return-Path: <a@b.c>\nX: y",
			"From: <Saved by Blink>\r\nSnapshot-Content-Location: x\r\nSubject: page\r\n",
			"发件人: Ann\n收件人: Ben\n主题: 名单\n\nim_1001",
			"From:\tAnn\nSent:\tMonday\nTo:\tBen\nSubject:\tlist\n", "Subject: list\nFrom: ann@example.com\n",
			"---------- Forwarded message ---------\nFrom: Ann\n"},
		"passwd": {"root:x:0:0:root:/root:/bin/sh\n"},
		"MBOX":   {"From ann@example.com Mon Nov 30 10:00:00 2026\nX: y"},
		"HTTP":   {"HTTP/1.1 200 OK\r\nX: y", "GET /users HTTP/1.1\n"},
		"PEM": {"-----BEGIN CERTIFICATE-----\nMIIB",
			"Bag Attributes\n  x: y\n-----BEGIN RSA PRIVATE KEY-----\nMII", "-----BEGIN PGP MESSAGE-----\n"},
		"SSH": {"ssh-ed25519 AAAAC3 ann@x"},
		"Diff": {"diff --git a/x b/x\n", "--- a.txt\t2026\n+++ b.txt\n@@ -1 +1 @@\n",
			"12,13c14\n< im_1001\n---\n> im_1002", "Index: x\n===================\n"},
		"vCard": {"BEGIN:VCARD\nVERSION:3.0\n", "begin:vcalendar\r\nX:y", "BEGIN:VEVENT\n"},
		"LDIF": {"dn: uid=im_1001,dc=x\nuid: im_1001", "version: 1\n\ndn:: dWlkPQ==\n",
			"# export\n\ndn: cn=a\n"},
		"SYLK": {"ID;PWXL;N;E\nP;PGeneral\nC;Y1;X1;K\"user_id\"", "ID;P\r\nF;W1 1 9\r\nC;X1;Y1;K1",
			"ID;PSCALC3\nB;Y2;X1\nC;X1;Y1;K1"},
		"DIF": {"TABLE\n0,1\n\"EXCEL\"\nVECTORS\n", "TABLE\r\n0,1\r\n\"\"\r\n", "table\n0,1\n\"x\""},
		"INI": {"[users]\nim_1001=Ann\nim_1002=Ben", "; of users\n\n[a b]\nx = 1",
			"[[users]]\nid = \"im_1001\"", "[u]\n# x\na: b"},
		"YAML": {"---\n- im_1001\n- im_1002", "---\nusers:\n  - im_1001", "%YAML 1.2\n---\n",
			"- user_id: im_1001\n  name: Ann"},
		"RTF":        {`{\rtf1\ansi im_1001}`},
		"PostScript": {"%!PS-Adobe-3.0\n"},
		"Script": {"#!/bin/sh\nim_1001", "#include <stdio.h>", "@echo off\r\n", "import java.util.List;",
			"package main\n\nimport \"x\"", "from x import y"},
		"TeX":      {`\documentclass{article}`},
		"PHP":      {`a:1:{i:0;s:7:"im_1001";}`},
		"Registry": {"Windows Registry Editor Version 5.00\n"},
		"M3U":      {"#EXTM3U\n"}, "WebVTT": {"WEBVTT\n\n"}, "SRT": {"1\n00:00:01,000 --> 00:00:02,000\nim_1001"},
		"HL7": {`MSH|^~\&|x`}, "EDIFACT": {"UNB+UNOC:3+x'"}, "X12": {"ISA*00*x"}, "QIF": {"!Type:Bank\n",
			"!Account\nNusers\n^"}, "uuencode": {"begin 644 a.csv\n"},
	} {
		for _, text := range texts {
			assert.Equal(t, name, formatOfText([]byte(text)), "%q", text)
		}
	}
}

func TestListsAndTablesAreNoOtherFormat(t *testing.T) {
	for _, text := range []string{
		"", "[", "{", "<", "From\nim_1001", "From,To,Subject\na,b,c",
		"From: 2026-01-01\nTo: 2026-01-31\n\nuser_id,name\n", "begin\nend", "BEGIN;",
		"begin:ann\n", "<table1\n<table2\n", "<NA>\nim_1001\n<nil>", "<nil>\nim_1001",
		"<ann@example.com>\n<ben@example.com>",
		"[NULL]\nim_1001", "[null]\nim_1001", "[1] im_1001\n[2] im_1002", "[1001]\n[1002]", "[VIP]\nim_1001\nim_1002",
		"[VIP]ann\n[VIP]ben",
		"[account]\naGVsbG8=\nd29ybGQ=", "{3F2504E0-4F89-11D3-9A0C-0305E82C3301}\n", "[blank], x", "(1) im_1001",
		"-- im_1001\nim_1002", "# im_1001\n// im_1002\n/* im_1003 */\nim_1004", "--\nim_1001",
		"# mysql users\nim_1001", "# dump of users\nim_1001",
		"select\nim_1001", "Select\tuser_id\tnote\n\tim_1001\tcame from web",
		"Select users from list below\nuser_id,name", "update\nset\n",
		"Delete from CRM\nim_1001", "Copy users from list\nim_1001", "Create user list\nim_1001", "use\nim_1001",
		"grant\nim_1001", "set\nto\n",
		"Use case;user_id\nx;im_1001", "Grant date;user_id;\n", "Delete from CRM;user_id", "Truncate at;user_id;x",
		"Set to x;user_id", "Lock tables;user_id", "Create view;user_id", "Drop date;user_id",
		"Insert into group\nim_1001", "table\nim_1001", "TABLE\n0,1\nim", "ID;Product;Price\nC;12;1", "ID;P\n1;2",
		"ID;Path\nC;x", "id;user\n1;a",
		"---\nim_1001", "--- users ---\nim_1001", "*** users ***\n--- x ---\nim_1001", "- im_1001\n- im_1002",
		"users:\n- im_1001", "id: im_1001\nid: im_1002",
		"dn\nim_1001", "version: 1\nim_1001", "Index: 1\n= im", "package premium\nim_1001", "import\nim_1001",
		"import ann\nim_1001", "from ann import", "function\n",
		"let_1\nlet_2", "var\n1", "def\nim_1001", "class Ann\n", "MSH|Ann|x", "http://example.com/u/1\n",
		"GET\nPOST\n", "a:1\nb:2", "1\n2\n3", "0 HEADER\n", "begin 1\n",
		"@ann\n@ben", "@ann{x}\n", "!type\n", "%name%\n", `\N` + "\nim_1001", `\begin_1` + "\n", "ssh-rsa\n",
		"BEGIN CERTIFICATE\n", "-----\nim_1001\n-----\n",
		"Date: 2026-11-30\nOperator: admin_7\n\nuser_id,name", "Subject: churned\nuser_id,name\nim_1001,Ann",
		"X-1: a\nX-2: b\n", "\"im_1001\",\n\"im_1002\",",
		"sep=;\nuser_id;name", "=\"00123\"", "user_id,note\nim_1001,\"<b>x</b>\"\n",
		"user_id,json\nim_1001,{\"a\":1}", "auth0|5f7c\nauth0|5f7d",
		"PAR1001\n", "BZh1001\n", "PK\n1", "%PDF\n", "GIF1",
		"用户ID,姓名\n1,安", "发件人,主题\n1,2", "发件人\nim_1001",
	} {
		assert.Empty(t, formatOfText([]byte(text)), "%q", text)
		assert.Empty(t, formatOfText([]byte(strings.ReplaceAll(text, "\n", "\r\n"))), "%q", text)
	}
}
