// The arithmetic of an EfficientNet-Lite for a browser: WASM with 128-bit SIMD, no library, no memory of
// its own.
//
// A picture or a stack of maps is C planes of floats, one after the other. A plane of H×W values takes n
// floats, n being the next multiple of eight: whole blocks can be computed without a look at the end.
// What lies behind the H×W values is finite and never read as a value. Batch norm is folded into weights
// w and biases b. `act` 1 ends with ReLU6.
//
// `python scripts/wasm.py build` compiles this file.
#include <wasm_simd128.h>

#define EXPORT(name) __attribute__((export_name(#name)))
typedef v128_t V;   // four floats

static inline V load(const float *p) { return wasm_v128_load(p); }
static inline V splat(const float *p) { return wasm_v128_load32_splat(p); }
static inline V muladd(V sum, V a, V b) { return wasm_f32x4_add(sum, wasm_f32x4_mul(a, b)); }
static inline V relu6(V x, int act) {
  return act ? wasm_f32x4_pmin(wasm_f32x4_pmax(x, wasm_f32x4_splat(0)), wasm_f32x4_splat(6)) : x;
}

// Four neighbours (stride 1), or every second of eight (stride 2)
static inline V gather(const float *p, int stride) {
  return stride == 1 ? load(p) : wasm_i32x4_shuffle(load(p), load(p + 4), 0, 2, 4, 6);
}

// 1×1 convolution, `ci` planes to `co`, in tiles of four planes and eight values.
// w lies as [co/4][ci][4]: the four weights that meet one input value are neighbours.
EXPORT(pointwise)
void pointwise(float *out, const float *x, const float *w, const float *b, int co, int ci, int n, int act) {
  for (int c = 0; c < co; c += 4, w += 4 * ci)
    for (int i = 0; i < n; i += 8) {
      V a0 = splat(b + c), a1 = splat(b + c + 1), a2 = splat(b + c + 2), a3 = splat(b + c + 3);
      V e0 = a0, e1 = a1, e2 = a2, e3 = a3;
      const float *p = x + i, *q = w;
      for (int j = 0; j < ci; j++, p += n, q += 4) {
        V u = load(p), v = load(p + 4), s;
        s = splat(q);     a0 = muladd(a0, s, u); e0 = muladd(e0, s, v);
        s = splat(q + 1); a1 = muladd(a1, s, u); e1 = muladd(e1, s, v);
        s = splat(q + 2); a2 = muladd(a2, s, u); e2 = muladd(e2, s, v);
        s = splat(q + 3); a3 = muladd(a3, s, u); e3 = muladd(e3, s, v);
      }
      float *to = out + c * n + i;
      wasm_v128_store(to, relu6(a0, act)); wasm_v128_store(to + 4, relu6(e0, act)); to += n;
      wasm_v128_store(to, relu6(a1, act)); wasm_v128_store(to + 4, relu6(e1, act)); to += n;
      wasm_v128_store(to, relu6(a2, act)); wasm_v128_store(to + 4, relu6(e2, act)); to += n;
      wasm_v128_store(to, relu6(a3, act)); wasm_v128_store(to + 4, relu6(e3, act));
    }
}

// One plane of h×w into rows of `pitch`, `before` zeros above and on the left, the rest of `rows` rows
// zeros too
static void pad(float *to, const float *x, int h, int w, int before, int rows, int pitch) {
  for (int i = 0; i < rows * pitch; i++) to[i] = 0;
  for (int y = 0; y < h; y++)
    for (int i = 0; i < w; i++) to[(y + before) * pitch + before + i] = x[y * w + i];
}

// Rows of outputs, four at a time, of `ci` padded planes and as many k×k kernels; ends with ReLU6
static inline void slide(float *out, const float *planes, const float *w, const float *b, int ci, int k,
                         int stride, int rows, int pitch, int oh, int ow) {
  for (int y = 0; y < oh; y++)
    for (int i = 0; i < ow; i += 4) {
      V sum = splat(b);
      for (int c = 0; c < ci; c++) {
        const float *p = planes + (c * rows + y * stride) * pitch + i * stride;
        for (int r = 0; r < k; r++)
          for (int j = 0; j < k; j++)
            sum = muladd(sum, splat(w + (c * k + r) * k + j), gather(p + r * pitch + j, stride));
      }
      sum = relu6(sum, 1);
      float *to = out + y * ow + i, last[4];
      if (i + 4 <= ow) { wasm_v128_store(to, sum); continue; }
      wasm_v128_store(last, sum);
      for (int m = 0; m < ow - i; m++) to[m] = last[m];
    }
}

// The loads of a row's last four values go that far.
static inline int pitch_of(int w, int k) { return (w + k + 11) / 4 * 4; }

// k×k convolution (3 or 5), a kernel for each plane. Every case gets code of its own: loops of known
// length unroll.
EXPORT(depthwise)
void depthwise(float *out, const float *x, const float *w, const float *b, float *scratch, int channels,
               int h, int width, int k, int stride, int before, int oh, int ow, int n_out, int n_in) {
  int pitch = pitch_of(width, k), rows = h + k;
  for (int c = 0; c < channels; c++, w += k * k, x += n_in, out += n_out) {
    pad(scratch, x, h, width, before, rows, pitch);
    if (k == 3 && stride == 1) slide(out, scratch, w, b + c, 1, 3, 1, rows, pitch, oh, ow);
    else if (k == 3) slide(out, scratch, w, b + c, 1, 3, 2, rows, pitch, oh, ow);
    else if (stride == 1) slide(out, scratch, w, b + c, 1, 5, 1, rows, pitch, oh, ow);
    else slide(out, scratch, w, b + c, 1, 5, 2, rows, pitch, oh, ow);
    for (int i = oh * ow; i < n_out; i++) out[i] = 0;
  }
}

// The first layer: 3×3 kernels over the three colours, stride 2, one row and column of zeros below and on
// the right
EXPORT(stem)
void stem(float *out, const float *x, const float *w, const float *b, float *scratch, int co, int h,
          int width) {
  int pitch = pitch_of(width, 3), rows = h + 3, oh = h / 2, ow = width / 2;
  for (int c = 0; c < 3; c++) pad(scratch + c * rows * pitch, x + c * h * width, h, width, 0, rows, pitch);
  for (int c = 0; c < co; c++)
    slide(out + c * oh * ow, scratch, w + 27 * c, b + c, 3, 3, 2, rows, pitch, oh, ow);
}

// out += x, n floats: the shortcut around a block
EXPORT(add)
void add(float *out, const float *x, int n) {
  for (int i = 0; i < n; i += 4) wasm_v128_store(out + i, wasm_f32x4_add(load(out + i), load(x + i)));
}
