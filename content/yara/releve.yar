/*
   Relève: rules for backed-up files of a care provider.
   Written by the Relève founders from public descriptions of techniques (MITRE ATT&CK ids in `technique`).
   Licence: Apache-2.0. Dated 2026-11-22; see SOURCES.md. Every rule has firing and quiet examples in
   tests/detect/files/test_rules.py.

   A match makes a file bad and its snapshot not clean, so a rule asks for two independent signs, or
   for one that no honest document carries. `fr` is what people read.
*/

rule ransom_note
{
  meta:
    description = "a text that asks a ransom for files"
    fr = "texte qui réclame une rançon"
    technique = "T1486"
    date = "2026-11-22"
    source = "own work"
  strings:
    $lost_en1 = "files have been encrypted" nocase ascii wide
    $lost_en2 = "files are encrypted" nocase ascii wide
    $lost_en3 = "your network has been" nocase ascii wide
    $lost_en4 = "all your files" nocase ascii wide
    $lost_fr1 = "fichiers ont été chiffrés" nocase ascii wide
    $lost_fr2 = "fichiers ont ete chiffres" nocase ascii wide
    $lost_fr3 = "fichiers sont cryptés" nocase ascii wide
    $lost_fr4 = "fichiers ont été cryptés" nocase ascii wide
    $pay1 = "bitcoin" nocase ascii wide
    $pay2 = "monero" nocase ascii wide
    $pay3 = ".onion" nocase ascii wide
    $pay4 = "decryption key" nocase ascii wide
    $pay5 = "decryptor" nocase ascii wide
    $pay6 = "clé de déchiffrement" nocase ascii wide
    $pay7 = "tor browser" nocase ascii wide
    $pay8 = "protonmail" nocase ascii wide
    $threat1 = "do not rename" nocase ascii wide
    $threat2 = "do not try to decrypt" nocase ascii wide
    $threat3 = "will be published" nocase ascii wide
    $threat4 = "will be leaked" nocase ascii wide
    $threat5 = "ne renommez pas" nocase ascii wide
    $threat6 = "seront publiés" nocase ascii wide
    $threat7 = "private key" nocase ascii wide
    $threat8 = "personal id" nocase ascii wide
  condition:
    filesize < 64KB and any of ($lost_*) and any of ($pay*) and (any of ($threat*) or 2 of ($pay*))
}

rule recovery_sabotage
{
  meta:
    description = "a script or program that deletes shadow copies or stops recovery"
    fr = "programme qui efface les copies de secours de Windows"
    technique = "T1490"
    date = "2026-11-22"
    source = "own work"
  strings:
    $deed1 = /vssadmin(\.exe)?["']?\s+delete\s+shadows/ nocase ascii wide
    $deed2 = /wmic(\.exe)?["']?\s+shadowcopy\s+delete/ nocase ascii wide
    $deed3 = /wbadmin(\.exe)?["']?\s+delete\s+(catalog|systemstatebackup|backup)/ nocase ascii wide
    $deed4 = /bcdedit(\.exe)?["']?\s+\/set\s+\{default\}\s+recoveryenabled\s+no/ nocase ascii wide
    $deed5 = /Win32_ShadowCopy[^\n]{0,80}(Delete|Remove-WmiObject|Remove-CimInstance)/ nocase ascii wide
    $deed6 = /bootstatuspolicy\s+ignoreallfailures/ nocase ascii wide
    $with1 = "/quiet" nocase ascii wide
    $with2 = "cmd" nocase ascii wide
    $with3 = "powershell" nocase ascii wide
    $with4 = "@echo" nocase ascii
    $with5 = "Shell" ascii wide
  condition:
    filesize < 20MB and (2 of ($deed*) or (any of ($deed*) and any of ($with*)))
}

rule powershell_download_and_run
{
  meta:
    description = "PowerShell that fetches something and runs it"
    fr = "PowerShell qui télécharge et exécute"
    technique = "T1059.001"
    date = "2026-11-22"
    source = "own work"
  strings:
    $get1 = "DownloadString(" nocase ascii wide
    $get2 = "DownloadFile(" nocase ascii wide
    $get3 = "DownloadData(" nocase ascii wide
    $get4 = "Invoke-WebRequest" nocase ascii wide
    $get5 = "Net.WebClient" nocase ascii wide
    $get6 = "Start-BitsTransfer" nocase ascii wide
    $run1 = /\bIEX\b/ nocase ascii wide
    $run2 = "Invoke-Expression" nocase ascii wide
    $run3 = "Start-Process" nocase ascii wide
    $run4 = "[Reflection.Assembly]::Load" nocase ascii wide
    $run5 = "FromBase64String" nocase ascii wide
    $hide1 = /-w(indowstyle)?\s+hidden/ nocase ascii wide
    $hide2 = /-e(xecution)?p(olicy)?\s+bypass/ nocase ascii wide
    $hide3 = /-nop(rofile)?\b/ nocase ascii wide
    $hide4 = "AmsiUtils" nocase ascii wide
    $hide5 = "amsiInitFailed" nocase ascii wide
  condition:
    filesize < 5MB and any of ($get*) and any of ($run*) and any of ($hide*)
}

rule powershell_encoded
{
  meta:
    description = "a hidden PowerShell with an encoded command"
    fr = "PowerShell caché à commande encodée"
    technique = "T1027"
    date = "2026-11-22"
    source = "own work"
  strings:
    $enc = /powershell(\.exe)?["']?\s[^\n]{0,120}-e(nc|ncodedcommand)?\s+["']?[A-Za-z0-9+\/]{60,}/ nocase ascii wide
  condition:
    filesize < 5MB and $enc
}

rule office_macro_dropper
{
  meta:
    description = "a macro that starts by itself and runs or fetches a program"
    fr = "macro qui démarre seule et lance un programme"
    technique = "T1204.002"
    date = "2026-11-22"
    source = "own work"
  strings:
    $auto1 = "AutoOpen" nocase ascii wide
    $auto2 = "Document_Open" nocase ascii wide
    $auto3 = "Workbook_Open" nocase ascii wide
    $auto4 = "Auto_Open" nocase ascii wide
    $run1 = "WScript.Shell" nocase ascii wide
    $run2 = "URLDownloadToFile" nocase ascii wide
    $run3 = "MSXML2.XMLHTTP" nocase ascii wide
    $run4 = "powershell" nocase ascii wide
    $run5 = "ShellExecute" nocase ascii wide
    $run6 = "mshta" nocase ascii wide
    $run7 = "ADODB.Stream" nocase ascii wide
  condition:
    filesize < 20MB and (uint32(0) == 0xE011CFD0 or uint32(0) == 0x04034B50 or uint32(0) == 0x74725C7B
      or uint32(0) == 0x72747441) and any of ($auto*) and any of ($run*)
}

rule script_dropper
{
  meta:
    description = "a Windows script that writes a fetched program and runs it"
    fr = "script qui dépose un programme et le lance"
    technique = "T1059.005"
    date = "2026-11-22"
    source = "own work"
  strings:
    $shell1 = "WScript.Shell" nocase ascii wide
    $shell2 = "Shell.Application" nocase ascii wide
    $get1 = "XMLHTTP" nocase ascii wide
    $get2 = "WinHttp" nocase ascii wide
    $get3 = "bitsadmin" nocase ascii wide
    $get4 = "certutil" nocase ascii wide
    $put1 = "SaveToFile" nocase ascii wide
    $put2 = "ADODB.Stream" nocase ascii wide
    $put3 = "-urlcache" nocase ascii wide
    $put4 = "/transfer" nocase ascii wide
  condition:
    filesize < 2MB and any of ($shell*) and any of ($get*) and any of ($put*)
}

rule shortcut_to_interpreter
{
  meta:
    description = "a shortcut that starts an interpreter with hidden or remote content"
    fr = "raccourci qui lance un interpréteur en cachette"
    technique = "T1204.002"
    date = "2026-11-22"
    source = "own work"
  strings:
    $who1 = "powershell" nocase ascii wide
    $who2 = "mshta" nocase ascii wide
    $who3 = "wscript" nocase ascii wide
    $who4 = "rundll32" nocase ascii wide
    $how1 = "hidden" nocase ascii wide
    $how2 = "http" nocase ascii wide
    $how3 = "-enc" nocase ascii wide
    $how4 = "bypass" nocase ascii wide
    $how5 = "javascript:" nocase ascii wide
  condition:
    filesize < 1MB and uint32(0) == 0x0000004C and uint32(4) == 0x00021401 and any of ($who*) and any of ($how*)
}

rule web_shell
{
  meta:
    description = "a page that runs what a visitor sends"
    fr = "page web qui exécute ce qu'on lui envoie"
    technique = "T1505.003"
    date = "2026-11-22"
    source = "own work"
  strings:
    $php1 = /(eval|assert|system|passthru|shell_exec|exec)\s*\(\s*(base64_decode\s*\(|gzinflate\s*\(|@?\s*\$_(POST|GET|REQUEST|COOKIE))/ nocase ascii
    $asp1 = /eval\s*\(?\s*request/ nocase ascii
    $asp2 = "ProcessStartInfo" ascii
    $asp3 = "Request.Form" nocase ascii
    $jsp1 = "Runtime.getRuntime().exec(request.getParameter" ascii
  condition:
    filesize < 1MB and ($php1 or $asp1 or $jsp1 or ($asp2 and $asp3))
}

rule rtf_equation_exploit
{
  meta:
    description = "an RTF with an embedded Equation object"
    fr = "RTF avec un objet Equation incorporé"
    technique = "T1203"
    date = "2026-11-22"
    source = "own work; CVE-2017-11882 as described by Microsoft"
  strings:
    $object = "\\objdata" nocase ascii
    $name = "4571756174696f6e2e33" nocase ascii  // "Equation.3" in hex
    $class = "Equation.3" nocase ascii
    $update = "\\objupdate" nocase ascii
  condition:
    uint32(0) == 0x74725C7B and $object and $update and ($name or $class)
}

rule pdf_launch
{
  meta:
    description = "a PDF that starts a program"
    fr = "PDF qui lance un programme"
    technique = "T1204.002"
    date = "2026-11-22"
    source = "own work"
  strings:
    $launch = "/Launch" ascii
    $who1 = "cmd.exe" nocase ascii
    $who2 = "powershell" nocase ascii
    $who3 = "mshta" nocase ascii
  condition:
    uint32(0) == 0x46445025 and $launch and any of ($who*)
}

rule test_file
{
  meta:
    description = "the antivirus test file"
    fr = "fichier d'essai des antivirus"
    date = "2026-11-22"
    source = "EICAR, anti-malware test file"
  strings:
    $name = "$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!"
  condition:
    filesize < 256 and $name
}
