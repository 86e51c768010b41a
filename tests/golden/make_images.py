"""Makes the golden files of tests/vision out of Pillow.

Usage: python make_images.py [FOLDER OF UNPACKED PHOTO SETS]

Writes into vision/ beside this file:
  images/*        one small file a format and variant, with broken ones among them
  images.json     for each: size and SHA-256 of Pillow's pixels as RGB and L, as opened and turned by its EXIF orientation
  resize.json     SHA-256 of Pillow's resize of pictures drawn from a stated generator, all filters, up, down and boxed
  photos.txt      first 16 hex digits of the SHA-256 of every photo's RGB pixels, one `digits path` a line (only with a
                  folder that holds oxford-iiit-pet/ and bears/)
"""

import hashlib
import io
import json
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, ImageOps

HERE = Path(__file__).parent / "vision"
IMAGES = HERE / "images"
FILTERS = ["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"]


def sha(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def draw(width, height, seed):
    """Pixels of a linear congruential generator, which the C++ test repeats: x = 1664525 x + 1013904223, top byte."""
    state = np.empty(width * height * 3, np.uint32)
    value = seed
    for i in range(state.size):
        value = (1664525 * value + 1013904223) & 0xFFFFFFFF
        state[i] = value
    return (state >> 24).astype(np.uint8).reshape(height, width, 3)


def photo(width=43, height=29):
    """Smooth colours with an edge and some noise: what lossy coders are made for."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    red = 255 * x / width
    green = 255 * y / height
    blue = 127 + 120 * np.sin(x / 5) * np.cos(y / 4)
    picture = np.stack([red, green, blue], -1)
    picture[(x - 20) ** 2 + (y - 14) ** 2 < 60] = (240, 30, 60)
    noise = draw(width, height, 7).astype(float) / 255 * 20 - 10
    return Image.fromarray(np.clip(picture + noise, 0, 255).astype(np.uint8))


def saved(image, format, **options):
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def exif(orientation):
    block = Image.Exif()
    block[0x0112] = orientation
    return block


def png_chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def interlaced_png(image):
    """Adam7, which Pillow reads and does not write. RGB, no row filter."""
    pixels = np.asarray(image)
    height, width, _ = pixels.shape
    rows = b""
    for x0, y0, dx, dy in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]:
        part = pixels[y0::dy, x0::dx]
        if part.size:
            rows += b"".join(b"\0" + row.tobytes() for row in part)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    return (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(rows))
            + png_chunk(b"IEND", b""))


def raw_png(width, height, depth, colour_type, rows, before=b""):
    data = b"".join(b"\0" + row for row in rows)
    return (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0))
            + before + png_chunk(b"IDAT", zlib.compress(data)) + png_chunk(b"IEND", b""))


def bmp(width, height, bits, compression, pixels, palette=b"", masks=b"", colours=0):
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(pixels), 2835, 2835, colours, 0)
    offset = 14 + len(header) + len(masks) + len(palette)
    return struct.pack("<2sIHHI", b"BM", offset + len(pixels), 0, 0, offset) + header + masks + palette + pixels


def webp_with_exif(data, width, height, block):
    """VP8X around a simple WebP, so that it may carry EXIF."""
    def chunk(name, body):
        return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)
    extended = struct.pack("<I", 0x08) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBP" + chunk(b"VP8X", extended) + data[12:] + chunk(b"EXIF", block)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpegs(files):
    colour = photo()
    grey = colour.convert("L")
    files["jpeg_420.jpg"] = saved(colour, "JPEG", quality=80, subsampling="4:2:0")
    files["jpeg_422.jpg"] = saved(colour, "JPEG", quality=80, subsampling="4:2:2")
    files["jpeg_444.jpg"] = saved(colour, "JPEG", quality=95, subsampling="4:4:4")
    files["jpeg_progressive.jpg"] = saved(colour, "JPEG", quality=70, progressive=True)
    files["jpeg_restart.jpg"] = saved(colour, "JPEG", quality=70, restart_marker_blocks=2)
    files["jpeg_grey.jpg"] = saved(grey, "JPEG", quality=80)
    files["jpeg_rgb.jpg"] = saved(colour, "JPEG", quality=80, keep_rgb=True)
    files["jpeg_cmyk.jpg"] = saved(colour.convert("CMYK"), "JPEG", quality=80)
    files["jpeg_tiny.jpg"] = saved(colour.crop((0, 0, 1, 1)), "JPEG")
    ycck = bytearray(files["jpeg_cmyk.jpg"])
    at = ycck.find(b"Adobe")
    ycck[at + 11] = 2  # The colour transform says YCCK; the same samples are other colours then.
    files["jpeg_ycck.jpg"] = bytes(ycck)
    files["jpeg_trailing.jpg"] = files["jpeg_420.jpg"] + b"more bytes behind the picture"
    for orientation in range(1, 9):
        files[f"jpeg_exif_{orientation}.jpg"] = saved(colour.resize((20, 12)), "JPEG", exif=exif(orientation))
    # More detail than fits into the bytes that are left.
    busy = Image.fromarray(draw(96, 64, 11))
    files["truncated_baseline.jpg"] = (lambda data: data[: len(data) * 6 // 10])(saved(busy, "JPEG", quality=30))
    files["truncated_progressive.jpg"] = (lambda data: data[: len(data) * 6 // 10])(
        saved(busy, "JPEG", quality=30, progressive=True))
    files["truncated_no_end.jpg"] = files["jpeg_420.jpg"][:-2]


def pngs(files):
    colour = photo()
    grey = colour.convert("L")
    alpha = colour.convert("RGBA")
    alpha.putalpha(Image.fromarray(draw(43, 29, 3)[..., 0]))
    files["png_rgb.png"] = saved(colour, "PNG")
    files["png_rgba.png"] = saved(alpha, "PNG")
    files["png_grey.png"] = saved(grey, "PNG")
    files["png_grey_alpha.png"] = saved(alpha.convert("LA"), "PNG")
    files["png_bilevel.png"] = saved(grey.convert("1"), "PNG")
    files["png_palette.png"] = saved(colour.quantize(200), "PNG")
    files["png_palette_4.png"] = saved(colour.quantize(13), "PNG")
    files["png_palette_2.png"] = saved(colour.quantize(4), "PNG")
    files["png_palette_1.png"] = saved(colour.quantize(2), "PNG")
    files["png_palette_transparent.png"] = saved(colour.quantize(16), "PNG", transparency=3)
    files["png_rgb_transparent.png"] = saved(colour, "PNG", transparency=(255, 0, 0))
    files["png_interlaced.png"] = interlaced_png(colour)
    files["png_exif_6.png"] = saved(colour.resize((20, 12)), "PNG", exif=exif(6))
    wide = np.arange(16 * 9, dtype=np.uint32).reshape(9, 16) * 450
    files["png_grey_16.png"] = raw_png(16, 9, 16, 0, [row.astype(">u2").tobytes() for row in wide])
    files["png_grey_16_dark.png"] = raw_png(16, 9, 16, 0, [(row // 450).astype(">u2").tobytes() for row in wide])
    spread = draw(16 * 2, 9, 5)
    files["png_rgb_16.png"] = raw_png(16, 9, 16, 2, [row.tobytes() for row in spread])
    spread = draw(16 * 8 // 3 + 1, 9, 6).reshape(9, -1)[:, : 16 * 8]
    files["png_rgba_16.png"] = raw_png(16, 9, 16, 6, [row.tobytes() for row in spread])
    files["png_grey_alpha_16.png"] = raw_png(16, 9, 16, 4, [row[:64].tobytes() for row in spread])
    files["png_grey_2.png"] = raw_png(16, 4, 2, 0, [bytes(row[:4]) for row in spread[:4]])
    files["png_grey_4.png"] = raw_png(16, 4, 4, 0, [bytes(row[:8]) for row in spread[:4]])
    files["png_palette_short.png"] = raw_png(16, 1, 8, 3, [bytes(range(16))], png_chunk(b"PLTE", bytes(range(100, 124))))
    files["png_no_end.png"] = files["png_rgb.png"][:-12]
    files["truncated.png"] = files["png_rgb.png"][: len(files["png_rgb.png"]) // 2]
    broken = bytearray(files["png_grey.png"])
    broken[60] ^= 0xFF
    files["damaged_checksum.png"] = bytes(broken)


def webps(files):
    colour = photo()
    alpha = colour.convert("RGBA")
    alpha.putalpha(Image.fromarray(draw(43, 29, 3)[..., 0]))
    files["webp_lossless.webp"] = saved(colour, "WEBP", lossless=True)
    files["webp_lossless_alpha.webp"] = saved(alpha, "WEBP", lossless=True, exact=True)
    files["webp_lossy.webp"] = saved(colour, "WEBP", quality=75)
    files["webp_lossy_alpha.webp"] = saved(alpha, "WEBP", quality=75)
    files["webp_animated.webp"] = saved(colour, "WEBP", save_all=True, lossless=True, duration=100,
                                        append_images=[ImageOps.invert(colour)])
    small = colour.resize((20, 12))
    files["webp_exif_8.webp"] = webp_with_exif(saved(small, "WEBP", lossless=True), 20, 12, exif(8).tobytes())
    files["truncated.webp"] = files["webp_lossless.webp"][:200]


def gifs(files):
    colour = photo()
    indexed = colour.quantize(60)
    files["gif_palette.gif"] = saved(indexed, "GIF")
    files["gif_interlaced.gif"] = saved(indexed, "GIF", interlace=1)
    files["gif_grey.gif"] = saved(colour.convert("L"), "GIF")
    files["gif_transparent.gif"] = saved(indexed, "GIF", transparency=5)
    files["gif_animated.gif"] = saved(indexed, "GIF", save_all=True, append_images=[ImageOps.invert(colour)], duration=50)
    # The first frame moved into a larger screen, with and without a transparent index.
    for name in ("palette", "transparent"):
        moved = bytearray(files[f"gif_{name}.gif"])
        moved[6:10] = struct.pack("<HH", 50, 40)
        at = moved.find(b",\0\0\0\0" + struct.pack("<HH", 43, 29))
        moved[at + 1 : at + 5] = struct.pack("<HH", 4, 6)
        files[f"gif_moved_{name}.gif"] = bytes(moved)
    grown = bytearray(files["gif_palette.gif"])
    grown[6:10] = struct.pack("<HH", 10, 10)
    files["gif_larger_than_screen.gif"] = bytes(grown)
    files["truncated.gif"] = files["gif_palette.gif"][:500]


def bmps(files):
    colour = photo()
    files["bmp_rgb.bmp"] = saved(colour, "BMP")
    files["bmp_palette.bmp"] = saved(colour.quantize(77), "BMP")
    files["bmp_grey.bmp"] = saved(colour.convert("L"), "BMP")
    files["bmp_bilevel.bmp"] = saved(colour.convert("1"), "BMP")
    files["bmp_rgba.bmp"] = saved(colour.convert("RGBA"), "BMP")
    noise = draw(64, 16, 9).tobytes()
    files["bmp_top_down.bmp"] = bmp(5, -3, 24, 0, noise[:48])
    files["bmp_16.bmp"] = bmp(7, 5, 16, 0, noise[:80])
    files["bmp_565.bmp"] = bmp(7, 5, 16, 3, noise[:80], masks=struct.pack("<III", 0xF800, 0x7E0, 0x1F))
    files["bmp_32_xbgr.bmp"] = bmp(7, 5, 32, 3, noise[:140], masks=struct.pack("<III", 0xFF000000, 0xFF0000, 0xFF00))
    palette = noise[100:164]
    files["bmp_4.bmp"] = bmp(9, 5, 4, 0, noise[200:240], palette)
    files["bmp_1.bmp"] = bmp(37, 3, 1, 0, noise[240:264], bytes([10, 200, 30, 0, 250, 20, 90, 0]))
    runs = (bytes([5, 1, 0, 3, 7, 8, 9, 0, 0, 0]) + bytes([2, 4, 0, 2, 3, 1, 2, 6]) + bytes([0, 0])
            + bytes([8, 2, 0, 0]) + bytes([8, 3, 0, 1]))
    files["bmp_rle8.bmp"] = bmp(8, 4, 8, 1, runs[:-2] + bytes([0, 0, 8, 5, 0, 1]), noise[100:356])
    nibbles = bytes([5, 0x12, 0, 3, 0x45, 0x60, 0, 0]) + bytes([8, 0x3A, 0, 0]) + bytes([0, 5, 0x12, 0x34, 0x50, 0, 3, 0x77, 0, 0])
    files["bmp_rle4.bmp"] = bmp(8, 3, 4, 2, nibbles + bytes([0, 1]), palette)
    files["truncated.bmp"] = files["bmp_rgb.bmp"][:1000]


def tiffs(files):
    colour = photo()
    alpha = colour.convert("RGBA")
    alpha.putalpha(Image.fromarray(draw(43, 29, 3)[..., 0]))
    files["tiff_rgb.tif"] = saved(colour, "TIFF")
    files["tiff_rgb_lzw.tif"] = saved(colour, "TIFF", compression="tiff_lzw")
    files["tiff_rgb_deflate.tif"] = saved(colour, "TIFF", compression="tiff_adobe_deflate")
    files["tiff_jpeg.tif"] = saved(colour, "TIFF", compression="jpeg", quality=80)
    files["tiff_rgba.tif"] = saved(alpha, "TIFF", compression="packbits")
    files["tiff_grey.tif"] = saved(colour.convert("L"), "TIFF")
    files["tiff_bilevel.tif"] = saved(colour.convert("1"), "TIFF", compression="group4")
    files["tiff_palette.tif"] = saved(colour.quantize(90), "TIFF")
    files["tiff_cmyk.tif"] = saved(colour.convert("CMYK"), "TIFF", compression="tiff_lzw")
    wide = (np.arange(16 * 9, dtype=np.uint32).reshape(9, 16) * 3).astype(np.uint16)
    files["tiff_grey_16.tif"] = saved(Image.fromarray(wide), "TIFF")
    files["tiff_pages.tif"] = saved(colour, "TIFF", save_all=True, append_images=[ImageOps.invert(colour)],
                                    compression="tiff_lzw")
    for orientation in (3, 6):
        files[f"tiff_orientation_{orientation}.tif"] = saved(colour.resize((20, 12)), "TIFF", tiffinfo={274: orientation})
    files["truncated.tif"] = files["tiff_rgb.tif"][:2000]


def golden_of(data):
    """Pillow's answers: pixels, or an error and, for a JPEG, what LOAD_TRUNCATED_IMAGES makes of it."""
    def pixels(mode, turned):
        image = Image.open(io.BytesIO(data))
        if turned:
            image.load()
            image = ImageOps.exif_transpose(image)
        return np.asarray(image.convert(mode))
    try:
        entry = {"rgb": sha(pixels("RGB", False)), "l": sha(pixels("L", False)), "upright": sha(pixels("RGB", True))}
        height, width, _ = pixels("RGB", False).shape
        entry["size"] = [width, height]
        return entry
    except (OSError, SyntaxError, ValueError) as error:
        entry = {"error": str(error)}
    if data.startswith(b"\xff\xd8"):
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        entry["filled"] = sha(pixels("RGB", False))
        ImageFile.LOAD_TRUNCATED_IMAGES = False
    return entry


def make_images():
    files = {}
    for make in (jpegs, pngs, webps, gifs, bmps, tiffs):
        make(files)
    IMAGES.mkdir(parents=True, exist_ok=True)
    golden = {}
    for name, data in sorted(files.items()):
        (IMAGES / name).write_bytes(data)
        golden[name] = golden_of(data)
    (HERE / "images.json").write_text(json.dumps(golden, indent=1) + "\n")


def make_resizes():
    cases = []
    sizes = [(1, 1), (2, 3), (7, 5), (17, 40), (33, 64), (50, 37), (97, 1), (1, 61), (120, 90), (31, 200)]
    targets = [(1, 1), (3, 2), (8, 8), (13, 29), (37, 50), (64, 33), (120, 90), (150, 7)]
    for i, (width, height) in enumerate(sizes):
        image = Image.fromarray(draw(width, height, 100 + i))
        for j, size in enumerate(targets):
            box = [width * (j % 3) // 7, height * (j % 4) // 9, width - width * (j % 2) // 5, height - height * (j % 5) // 11]
            for mode in ("RGB", "L"):
                case = {"source": [width, height], "seed": 100 + i, "mode": mode, "size": size, "box": box,
                        "whole": [], "boxed": []}
                for name in FILTERS:
                    filter = Image.Resampling[name.upper()]
                    source = image.convert(mode)
                    case["whole"].append(sha(np.asarray(source.resize(size, filter)))[:16])
                    case["boxed"].append(sha(np.asarray(source.crop(box).resize(size, filter)))[:16])
                cases.append(case)
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    (HERE / "resize.json").write_text("[\n" + lines + "\n]\n")


def make_photos(folder):
    lines = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        try:
            digits = sha(np.asarray(Image.open(path).convert("RGB")))[:16]
        except (OSError, SyntaxError):
            digits = "not-an-image"
        lines.append(f"{digits} {path.relative_to(folder).as_posix()}\n")
    (HERE / "photos.txt").write_text("".join(lines))


if __name__ == "__main__":
    make_images()
    make_resizes()
    if len(sys.argv) > 1:
        make_photos(Path(sys.argv[1]))
