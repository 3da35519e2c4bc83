//! The pointer where no theme and no host draws it: a plain arrow, hot spot at its tip.

use std::sync::OnceLock;

use smithay::backend::allocator::Fourcc;
use smithay::backend::renderer::element::memory::MemoryRenderBuffer;
use smithay::utils::Transform;

/// `#` is the outline, `.` the body.
const ARROW: [&str; 19] = [
    "#           ",
    "##          ",
    "#.#         ",
    "#..#        ",
    "#...#       ",
    "#....#      ",
    "#.....#     ",
    "#......#    ",
    "#.......#   ",
    "#........#  ",
    "#.........# ",
    "#......#####",
    "#...#..#    ",
    "#..# #..#   ",
    "#.#  #..#   ",
    "##    #..#  ",
    "      #..#  ",
    "       #..# ",
    "       ###  ",
];

/// The arrow's pixels, shared by all renderers.
pub fn buffer() -> &'static MemoryRenderBuffer {
    static BUFFER: OnceLock<MemoryRenderBuffer> = OnceLock::new();
    BUFFER.get_or_init(|| {
        let pixels: Vec<u8> = ARROW
            .iter()
            .flat_map(|row| row.bytes())
            .flat_map(|cell| match cell {
                b'#' => [0, 0, 0, 255],
                b'.' => [255, 255, 255, 255],
                _ => [0; 4],
            })
            .collect();
        let size = (ARROW[0].len() as i32, ARROW.len() as i32);
        MemoryRenderBuffer::from_slice(&pixels, Fourcc::Argb8888, size, 1, Transform::Normal, None)
    })
}
