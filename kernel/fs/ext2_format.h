/*
 * ext2_format.h - what an ext2 file system looks like on its disk.
 *
 *     byte 1024: superblock
 *     group 0 | group 1 | ...        each s_blocks_per_group blocks long:
 *       [superblock copy, group descriptors]  in some groups only (SPARSE_SUPER)
 *       block bitmap, inode bitmap (one block each), inode table, data blocks
 *
 * All numbers are little-endian, as this processor's are.  Facts only, nothing here does
 * anything. Source: D. Poirier, "The Second Extended File System"; the layout is the one of
 * mke2fs.
 */
#pragma once

#include "kernel/lib/types.h"

#define EXT2_MAGIC        0xef53
#define EXT2_SUPER_OFFSET 1024 /* bytes from the start of the disk */

struct ext2_super_block {
    uint32_t s_inodes_count;
    uint32_t s_blocks_count;
    uint32_t s_r_blocks_count; /* kept for root */
    uint32_t s_free_blocks_count;
    uint32_t s_free_inodes_count;
    uint32_t s_first_data_block; /* block of the superblock: 1 with blocks of 1 KiB, else 0 */
    uint32_t s_log_block_size;   /* block size = 1024 << this */
    uint32_t s_log_frag_size;
    uint32_t s_blocks_per_group;
    uint32_t s_frags_per_group;
    uint32_t s_inodes_per_group;
    uint32_t s_mtime;
    uint32_t s_wtime;
    uint16_t s_mnt_count;
    uint16_t s_max_mnt_count;
    uint16_t s_magic;
    uint16_t s_state;
    uint16_t s_errors;
    uint16_t s_minor_rev_level;
    uint32_t s_lastcheck;
    uint32_t s_checkinterval;
    uint32_t s_creator_os;
    uint32_t s_rev_level;
    uint16_t s_def_resuid;
    uint16_t s_def_resgid;
    uint32_t s_first_ino;
    uint16_t s_inode_size;
    uint16_t s_block_group_nr;
    uint32_t s_feature_compat;
    uint32_t s_feature_incompat;
    uint32_t s_feature_ro_compat;
    uint8_t s_uuid[16];
    char s_volume_name[16];
    char s_last_mounted[64];
    uint32_t s_algo_bitmap;
    uint8_t s_prealloc_blocks;
    uint8_t s_prealloc_dir_blocks;
    uint16_t s_padding1;
    uint8_t s_unused[816];
};
STATIC_ASSERT(sizeof(struct ext2_super_block) == 1024);
STATIC_ASSERT(offsetof(struct ext2_super_block, s_magic) == 56);
STATIC_ASSERT(offsetof(struct ext2_super_block, s_first_ino) == 84);

/* s_state */
#define EXT2_STATE_VALID 1 /* unmounted in order */
#define EXT2_STATE_ERROR 2 /* errors were seen: e2fsck must look */

#define EXT2_REV_DYNAMIC 1 /* s_rev_level: the only one that is still made */

/* s_feature_incompat: not to be mounted by who does not know them. */
#define EXT2_INCOMPAT_FILETYPE 0x0002U
/* s_feature_ro_compat: not to be written by who does not know them. */
#define EXT2_RO_COMPAT_SPARSE_SUPER 0x0001U
#define EXT2_RO_COMPAT_LARGE_FILE   0x0002U

struct ext2_group_desc {
    uint32_t bg_block_bitmap; /* block numbers */
    uint32_t bg_inode_bitmap;
    uint32_t bg_inode_table;
    uint16_t bg_free_blocks_count;
    uint16_t bg_free_inodes_count;
    uint16_t bg_used_dirs_count;
    uint16_t bg_flags;
    uint32_t bg_reserved[3];
};
STATIC_ASSERT(sizeof(struct ext2_group_desc) == 32);

/* i_block: twelve direct blocks, then one single, one double and one triple indirect one. */
#define EXT2_DIRECT 12
#define EXT2_IND    12
#define EXT2_DIND   13
#define EXT2_TIND   14
#define EXT2_BLOCKS 15

struct ext2_disk_inode {
    uint16_t i_mode;
    uint16_t i_uid;
    uint32_t i_size;
    uint32_t i_atime;
    uint32_t i_ctime;
    uint32_t i_mtime;
    uint32_t i_dtime; /* when it was deleted, 0 while it lives */
    uint16_t i_gid;
    uint16_t i_links_count;
    uint32_t i_blocks; /* of 512 bytes, indirect ones included */
    uint32_t i_flags;
    uint32_t i_osd1;
    uint32_t i_block[EXT2_BLOCKS]; /* or the target of a symbolic link shorter than 60 bytes */
    uint32_t i_generation;
    uint32_t i_file_acl;  /* block of extended attributes */
    uint32_t i_size_high; /* regular files; an ACL block in directories of revision 0 */
    uint32_t i_faddr;
    uint8_t i_frag;
    uint8_t i_fsize;
    uint16_t i_pad1;
    uint16_t i_uid_high;
    uint16_t i_gid_high;
    uint32_t i_reserved2;
};
STATIC_ASSERT(sizeof(struct ext2_disk_inode) == 128);
STATIC_ASSERT(offsetof(struct ext2_disk_inode, i_block) == 40);

/* i_flags */
#define EXT2_FLAG_IMMUTABLE 0x0010U
#define EXT2_FLAG_APPEND    0x0020U

#define EXT2_ROOT_INO       2U
#define EXT2_FIRST_INO_MIN  11U
#define EXT2_LINK_MAX       32000U
#define EXT2_FAST_LINK_SIZE (EXT2_BLOCKS * 4) /* targets shorter than this lie in i_block */

/*
 * A directory is a row of these; they never cross a block, and the rec_lens of a block add up
 * to its size.  inode 0 marks a free one.
 */
struct ext2_dirent {
    uint32_t inode;
    uint16_t rec_len; /* bytes to the next one, a multiple of 4 */
    uint8_t name_len;
    uint8_t file_type; /* FILETYPE feature; else 0 */
    char name[];
};
STATIC_ASSERT(sizeof(struct ext2_dirent) == 8);

#define EXT2_NAME_MAX 255U
/* Bytes that an entry with a name of @n bytes needs. */
#define EXT2_DIRENT_SIZE(n) (((n) + 8U + 3U) & ~3U)

/* file_type */
#define EXT2_FT_UNKNOWN 0
#define EXT2_FT_REG     1
#define EXT2_FT_DIR     2
#define EXT2_FT_CHR     3
#define EXT2_FT_BLK     4
#define EXT2_FT_FIFO    5
#define EXT2_FT_SOCK    6
#define EXT2_FT_SYMLINK 7
