# ruff: noqa: E501 - the list of rows reads better whole
"""Honest work that no rule was tuned on: fixed before any rule was read, never changed to please one."""

from releve.apps.simulate.honest import moving, rewriting, sealing
from releve.apps.simulate.honest.desk import copying, row
from releve.apps.simulate.honest.tuned import prepare_database, prepare_git
from releve.apps.simulate.profile import Workload

WORKLOADS: tuple[Workload, ...] = (
    row("mailbox", ("boîte aux lettres : ajouts, compactage", "mailbox append and compaction"), moving.prepare_mailbox, moving.mailbox, held_out=True),
    row("log-rotate", ("rotation des journaux", "log rotation with gzip"), moving.prepare_logs, moving.rotate_logs, held_out=True, needs=("gzip",)),
    row("log-truncate", ("journaux vidés sur place", "logs truncated in place"), moving.prepare_logs, moving.truncate_logs, held_out=True),
    row("rename-scans", ("renommer 150 numérisations", "batch rename of 150 scans"), copying((".png", 150)), moving.rename_scans, held_out=True),
    row("migrate-rtf", ("120 lettres RTF deviennent docx", "120 RTF letters become docx"), rewriting.prepare_old_documents, rewriting.migrate_documents, held_out=True),
    row("rsync-delete", ("miroir rsync --delete", "rsync --delete mirror"), moving.prepare_mirror, moving.mirror, held_out=True, needs=("rsync",)),
    row("unzip-over", ("reprendre une sauvegarde zip par-dessus", "restore a backup zip over"), moving.prepare_zip, moving.unzip_over, held_out=True, needs=("zip", "unzip")),
    row("sqlite-dump", ("base vidée en SQL et rechargée", "sqlite dump and reload"), prepare_database, rewriting.dump_and_reload, held_out=True),
    row("vacuum-into", ("VACUUM INTO puis mv par-dessus", "VACUUM INTO, then moved over"), prepare_database, rewriting.vacuum_into, held_out=True),
    row("antivirus", ("tout lire, comme un antivirus", "read all, as an antivirus"), copying((".txt", 300), (".docx", 200), (".jpg", 100)), moving.scan_all, held_out=True),
    row("move-year", ("ranger une année aux archives", "move a year to the archive"), moving.prepare_years, moving.move_year, held_out=True),
    row("tar-year", ("tar.xz d'une année, puis l'effacer", "tar.xz of a year, then delete it"), moving.prepare_years, moving.pack_year, held_out=True, needs=("tar", "xz")),
    row("lab-import", ("recevoir 300 résultats", "import of 300 results"), moving.prepare_results, moving.import_results, held_out=True, needs=("zip",)),
    row("pdf-stamp", ("tamponner 80 PDF", "stamp 80 PDFs"), copying((".pdf", 80)), rewriting.stamp_pdfs, held_out=True),
    row("exif-strip", ("ôter l'Exif de 100 photos", "strip Exif of 100 photos"), copying((".jpg", 100)), rewriting.strip_photos, held_out=True),
    row("protect-mail", ("5 documents protégés pour l'envoi", "password for 5 mailed documents"), copying((".docx", 5)), sealing.protect_for_mail, held_out=True, needs=("zip",)),
    row("chown", ("chmod et chown de tout un dossier", "chmod and chown -R"), copying((".txt", 200), (".pdf", 100)), moving.change_rights, held_out=True, as_root=True),
    row("csv-export", ("export du jour de 30 CSV", "daily rewrite of 30 CSV"), copying((".csv", 30)), rewriting.rewrite_exports, held_out=True),
    row("dedupe", ("doublons en liens physiques", "dedupe by hardlink"), moving.prepare_twins, moving.deduplicate, held_out=True),
    row("thumbnails", ("150 vignettes", "150 thumbnails"), copying((".png", 150)), rewriting.thumbnails, held_out=True),
    row("hash-names", ("120 images renommées par empreinte", "120 images under hash names"), copying((".dcm", 120)), moving.hash_names, held_out=True),
    row("iconv", ("200 textes en UTF-8", "200 texts to UTF-8"), rewriting.prepare_latin, rewriting.to_utf8, held_out=True, needs=("iconv",)),
    row("dos2unix", ("fins de ligne de 150 textes", "line ends of 150 texts"), rewriting.prepare_dos, rewriting.from_dos, held_out=True),
    row("png-optimise", ("80 numérisations mieux comprimées", "80 scans packed harder"), copying((".png", 80)), rewriting.shrink_scans, held_out=True),
    row("open-sealed", ("ouvrir 20 messages scellés", "open 20 sealed messages"), sealing.prepare_sealed, sealing.open_sealed, held_out=True, needs=("gpg",)),
    row("office", ("40 enregistrements de bureautique", "40 office saves with locks"), copying((".odt", 40)), rewriting.office_saves, held_out=True),
    row("password-safe", ("coffre de mots de passe, 20 fois", "password safe saved 20 times"), sealing.prepare_vault, sealing.save_vault, held_out=True),
    row("container", ("conteneur chiffré en usage", "encrypted container in use"), sealing.prepare_container, sealing.use_container, held_out=True),
    row("backup-repo", ("dépôt de sauvegarde chiffré", "encrypted backup repository"), copying((".txt", 1)), sealing.encrypted_backup, held_out=True),
    row("git-gc", ("git gc", "git gc"), prepare_git, rewriting.git_pack, held_out=True, needs=("git",)),
    row("csv-import", ("60 CSV en base, puis effacés", "60 CSV into a database, then removed"), copying((".csv", 60)), rewriting.import_tables, held_out=True),
    row("gzip-dicom", ("gzip de 60 DICOM", "gzip 60 DICOM"), copying((".dcm", 60)), rewriting.pack_images, held_out=True, needs=("gzip",)),
)  # fmt: skip
