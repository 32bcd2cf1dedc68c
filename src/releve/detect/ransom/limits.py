"""Every parameter of the guard's judgement and holding, in one place, each with its reason."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds, sizes in bytes, scores in points (three files destroyed make about 10)."""

    convict: float = 10.0  # about three originals destroyed: the prototype's median over 28 attacks
    suspect: float = 3.0  # one file destroyed: held still for a moment while the rest is looked at
    suspect_at_terminal: float = 7.0  # ... of somebody's work at a terminal, from the second one on
    suspect_s: float = 0.05  # ... and let go after this if it was nothing
    brake_files: int = (
        2  # originals changed in quick succession: halted until they were looked at ...
    )
    brake_growth: int = 4  # ... the next time after so many times as many files ...
    brake_forget_s: float = (
        60.0  # ... counted anew after so long a pause: programs may be taken over
    )
    brake_looks: int = 2  # ... or so many looks found nothing: a burst of honest work goes on
    brake_within_s: float = 0.02  # ... if one followed the other so soon: encryptors take 0.25 ms
    archived: float = 0.2  # an original gone into one opaque archive: 35 + 1 files convict
    canary: float = 10.0  # nobody has a reason to change one
    family_memory_s: float = 3600.0  # points older than this no longer add up for one family
    ancestor_memory_s: float = (
        120.0  # a shell or scheduler starts honest work all day: only a burst counts
    )
    pool_memory_s: float = 60.0  # many families of one user within a minute are one attack ...
    pool_families: int = 3  # ... from three families on, when their origin is unknown or a service
    nameless_s: float = 2.0  # the file server's log has named a client that left at once by then
    slow_memory_s: float = 86_400.0  # per user and per folder, for attacks of a few files an hour
    slow_alert: float = 20.0  # alerts, never stops: a day of work of many people may add up
    mass_deletion_files: int = 500  # deletion alone never kills: the originals are held ...
    mass_deletion_share: float = (
        0.25  # ... but so many and a quarter of all within ten minutes is frozen
    )
    wipe_files: int = 50  # and so is, in a small share, ...
    wipe_share: float = 0.8  # ... whoever leaves hardly anything
    mass_deletion_s: float = 600.0
    deletion_reason: float = (
        0.1  # new sound files per deletion that make it honest (moves, checkouts)
    )
    doubts: int = 3  # files left damaged and open at once: a program that saves has one
    doubt_s: float = 0.5  # a single one left damaged for so long counts as well
    judge_open_every_s: float = 0.05  # a file still open is judged again at most this often
    settle_s: float = 0.1  # after death, wait for late notifications, then look again
    window_reflink_s: float = 0.1  # promised delay between a save and its held clone
    window_copy_s: float = 2.0  # the same where originals are copied
    leased_s: float = 0.5  # a file that a lease keeps shut is looked at again this often
    young_s: float = (
        0.025  # a new file is held and looked at so late: locks and drafts are gone then
    )
    rehold_reflink_s: float = 0.02  # a file saved again and again is held at most this often
    rehold_copy_s: float = 0.25
    big: int = 16 << 20  # larger files are held by a worker of their own: nobody queues behind them
    hurry_s: float = 30.0  # after the last destroyed file the guard takes its usual share again
    press_s: float = (
        0.04  # holding waits so long for the judge when the first file is destroyed ...
    )
    press_every_s: float = 0.4  # ... at most this often: the window is a promise, too
    read_again_s: float = 0.0003  # an encryptor changes one file in that time ...
    read_awake_s: float = 0.004  # ... and one save is over within a few milliseconds ...
    read_calm: int = 100  # ... of some 20 notifications: more than this in 0.1 s is a storm ...
    read_collect_s: float = 0.0005  # ... that is read in pieces: who writes pays for each waking
    pace_queue: int = (
        32  # from so many waiting pieces of work on, a stage leaves gaps to the users ...
    )
    pace_share: float = 3.0  # ... three times as long as its own work at first ...
    pace_over_s: float = 0.1  # after the last such gap the guard takes its usual share again
    pace_late_s: float = 3.0  # ... and none at all once the work is so late: bursts are absorbed
    walk_every_s: float = 1.0  # files mapped or open for writing are looked for this often
    generations: int = 8  # per file: oldest, last settled, newest of each family since
    retention_s: float = 72 * 3600.0  # versions and deleted files are held this long
    full_share: float = 0.8  # the store stops at this share of bytes or inodes of its disk
    own_work_s: float = 60.0  # what a family made and removes within this was no original
    deleted_before_s: float = 10.0  # read, delete, write the ciphertext: within one breath
    stranger_s: float = 60.0  # families that nothing joins: as long as a user's add up (the pool)
    opaque_memory: int = 20_000  # new unreadable files remembered for pairing with deletions
