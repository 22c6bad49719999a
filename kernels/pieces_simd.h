// tanh, erf and the tail of the normal distribution on 32 pieces each, with coefficients that one
// permutation of two registers looks up (AVX-512): no division, no second branch, and polynomials
// half as long as over the whole range. The tables are minimax fits per piece, printed by
// scripts/fit_pieces.py; errors are relative, before rounding.
#pragma once

#include "kernels/loops_simd.h"

namespace glassgpt::kernels {
namespace {

// Error 2^-25.8.
alignas(64) constexpr float kTanhPieces[][32] = {
    {0x1.000000p+0f, 0x1.000000p+0f, 0x1.000000p+0f, 0x1.000000p+0f, 0x1.000000p-1f, 0x1.000000p-1f,
     0x1.000000p-1f, 0x1.000000p-1f, 0x1.000000p-1f, 0x1.000000p-1f, 0x1.000000p-2f, 0x1.000000p-2f,
     0x1.000000p-2f, 0x1.000000p-2f, 0x1.000000p-2f, 0x1.000000p-2f, 0x1.000000p-2f, 0x1.000000p-2f,
     0x1.000000p-2f, 0x1.000000p-2f, 0x1.000000p-3f, 0x1.000000p-3f, 0x1.000000p-3f, 0x1.000000p-3f,
     0x1.000000p-3f, 0x1.000000p-3f, 0x1.000000p-3f, 0x1.000000p-3f, 0x1.000000p-3f, 0x1.000000p-3f,
     0x1.000000p-3f, 0x1.000000p-3f},
    {-0x1.2e0964p-26f, -0x1.cf3310p-6f, -0x1.a47db0p-4f,  -0x1.9a36dap-3f, 0x1.98a64cp-3f,
     0x1.bd2524p-4f,   0x1.000d38p-5f,  -0x1.0d1b4cp-5f,  -0x1.5deacap-4f, -0x1.07614ep-3f,
     0x1.5f0a1ap-4f,   0x1.ca0be8p-5f,  0x1.f87c6ap-6f,   0x1.336786p-7f,  -0x1.2882e4p-7f,
     -0x1.9a9ddep-6f,  -0x1.404374p-5f, -0x1.a5c8c0p-5f,  -0x1.00092ap-4f, -0x1.287098p-4f,
     0x1.66615cp-5f,   0x1.248fa2p-5f,  0x1.d17190p-6f,   0x1.642b0ap-6f,  0x1.fffe6ep-7f,
     0x1.47ad40p-7f,   0x1.3b12cep-8f,  -0x1.e35508p-26f, -0x1.24928ap-8f, -0x1.1a7ba8p-7f,
     -0x1.9999a2p-7f,  -0x1.084212p-6f},
    {0x1.56893ap-70f, -0x1.bf7f7ap-5f, -0x1.70dc14p-4f, -0x1.a06d38p-4f, -0x1.8c31dep-4f,
     -0x1.598e90p-4f, -0x1.20f0c8p-4f, -0x1.db0c44p-5f, -0x1.855ecap-5f, -0x1.40a4cep-5f,
     -0x1.0a4ebap-5f, -0x1.bee0bap-6f, -0x1.7aecbap-6f, -0x1.44a0bap-6f, -0x1.18d08ep-6f,
     -0x1.ea2e00p-7f, -0x1.af4f40p-7f, -0x1.7e5062p-7f, -0x1.5525d0p-7f, -0x1.324092p-7f,
     -0x1.146deap-7f, -0x1.f57f76p-8f, -0x1.c8f6bap-8f, -0x1.a21a3cp-8f, -0x1.7ffe02p-8f,
     -0x1.61e3eap-8f, -0x1.47316ep-8f, -0x1.2f6800p-8f, -0x1.1a1f30p-8f, -0x1.070038p-8f,
     -0x1.eb8508p-9f, -0x1.cc5200p-9f},
    {-0x1.df7018p-6f, -0x1.82d7c6p-6f, -0x1.7811c2p-7f, -0x1.b9eafep-11f, 0x1.46852ap-8f,
     0x1.c369aap-8f,  0x1.b863fep-8f,  0x1.7a5b20p-8f,  0x1.337e8ep-8f,   0x1.e84b14p-9f,
     0x1.8110d2p-9f,  0x1.304848p-9f,  0x1.e42cd4p-10f, 0x1.84c772p-10f,  0x1.3b669ep-10f,
     0x1.0292f8p-10f, 0x1.ac595ap-11f, 0x1.6648bcp-11f, 0x1.2e7010p-11f,  0x1.0179a0p-11f,
     0x1.b9d81ap-12f, 0x1.7ddc46p-12f, 0x1.4c36d6p-12f, 0x1.22c9eep-12f,  0x1.ffebaep-13f,
     0x1.c4f164p-13f, 0x1.92ae00p-13f, 0x1.67950cp-13f, 0x1.426b5ep-13f,  0x1.223474p-13f,
     0x1.062468p-13f, 0x1.db2aecp-14f},
    {-0x1.54b5dep-65f, 0x1.c3dab4p-9f,   0x1.0fb3fcp-8f,   0x1.6b200ap-9f,   0x1.364e32p-10f,
     0x1.9c5cdep-13f,  -0x1.f13e8ap-13f, -0x1.795490p-12f, -0x1.6d378ap-12f, -0x1.335b5ap-12f,
     -0x1.e7d312p-13f, -0x1.797ea4p-13f, -0x1.219dacp-13f, -0x1.bc8b20p-14f, -0x1.56ff80p-14f,
     -0x1.0acb5cp-14f, -0x1.a2fee6p-15f, -0x1.4c570ep-15f, -0x1.0a4a7cp-15f, -0x1.aefa7ep-16f,
     -0x1.60137cp-16f, -0x1.223458p-16f, -0x1.e27166p-17f, -0x1.942a16p-17f, -0x1.550ffep-17f,
     -0x1.21c48ep-17f, -0x1.ef7b98p-18f, -0x1.aa1b24p-18f, -0x1.7071c6p-18f, -0x1.40351ap-18f,
     -0x1.179bc0p-18f, -0x1.ea7c28p-19f},
    {0x1.09d66cp-10f,  0x1.24eadcp-11f,  -0x1.53342cp-13f, -0x1.bf86c2p-12f, -0x1.5a509ep-12f,
     -0x1.616bf8p-13f, -0x1.fe6656p-15f, -0x1.2d01c6p-17f, 0x1.628c24p-17f,  0x1.00b3e8p-16f,
     0x1.e25c74p-17f,  0x1.8c9abap-17f,  0x1.343c00p-17f,  0x1.d35b10p-18f,  0x1.5f0ddep-18f,
     0x1.0782b0p-18f,  0x1.8d42e0p-19f,  0x1.2d908ep-19f,  0x1.cdce5cp-20f,  0x1.64f19ep-20f,
     0x1.169562p-20f,  0x1.b712f4p-21f,  0x1.5d486cp-21f,  0x1.186020p-21f,  0x1.c60184p-22f,
     0x1.7292c6p-22f,  0x1.30c9cap-22f,  0x1.f8f644p-23f,  0x1.a51d40p-23f,  0x1.6166acp-23f,
     0x1.2a5366p-23f,  0x1.fa7432p-24f},
    {0x1.29e4b6p-63f,  -0x1.42cd24p-13f, -0x1.c08d18p-14f, -0x1.5ad2d4p-18f, 0x1.15979cp-15f,
     0x1.d72ca0p-16f,  0x1.fd6f82p-17f,  0x1.abee94p-18f,  0x1.0b963ep-19f,  0x1.83f15ep-23f,
     -0x1.ccac5cp-22f, -0x1.25b554p-21f, -0x1.083f4cp-21f, -0x1.a7a26ap-22f, -0x1.42dfc2p-22f,
     -0x1.e10504p-23f, -0x1.631f02p-23f, -0x1.05df72p-23f, -0x1.838dcep-24f, -0x1.20906ep-24f,
     -0x1.b11ab2p-25f, -0x1.47e1b8p-25f, -0x1.f506fcp-26f, -0x1.825fe6p-26f, -0x1.2cb404p-26f,
     -0x1.d83ed6p-27f, -0x1.760376p-27f, -0x1.2aa542p-27f, -0x1.e0a4aap-28f, -0x1.859f80p-28f,
     -0x1.3e08c4p-28f, -0x1.054c9ep-28f},
};
// Error 2^-28.1.
alignas(64) constexpr float kErfPieces[][32] = {
    {0x1.000000p+0f, 0x1.000000p+0f, 0x1.000000p+0f, 0x1.000000p+0f, 0x1.000000p+0f, 0x1.000000p+0f,
     0x1.000000p+0f, 0x1.000000p+0f, 0x1.000000p+0f, 0x1.000000p+0f, 0x1.000000p+0f, 0x1.000000p-1f,
     0x1.000000p-1f, 0x1.000000p-1f, 0x1.000000p-1f, 0x1.000000p-1f, 0x1.000000p-1f, 0x1.000000p-1f,
     0x1.000000p-1f, 0x1.000000p-1f, 0x1.000000p-1f, 0x1.000000p-1f, 0x1.000000p-2f, 0x1.000000p-2f,
     0x1.000000p-2f, 0x1.000000p-2f, 0x1.000000p-2f, 0x1.000000p-2f, 0x1.000000p-2f, 0x1.000000p-2f,
     0x1.000000p-2f, 0x1.000000p-2f},
    {0x1.06eba8p-3f,  0x1.f4518ap-4f,  0x1.a94216p-4f,  0x1.3101dep-4f,  0x1.2484c2p-5f,
     -0x1.556566p-7f, -0x1.f96ab4p-5f, -0x1.dad036p-4f, -0x1.5e5cc6p-3f, -0x1.cdb9f0p-3f,
     -0x1.1c63fcp-2f, 0x1.62618ap-3f,  0x1.04ea24p-3f,  0x1.5eabecp-4f,  0x1.86a982p-5f,
     0x1.b938f2p-7f,  -0x1.1bcee8p-6f, -0x1.709638p-5f, -0x1.1e3ed0p-4f, -0x1.7a2462p-4f,
     -0x1.cd3786p-4f, -0x1.0c495ap-3f, 0x1.a2d2bap-4f,  0x1.6422f8p-4f,  0x1.2aa6a4p-4f,
     0x1.eb81d4p-5f,  0x1.89d74ep-5f,  0x1.2f67ccp-5f,  0x1.b6db0ep-6f,  0x1.1a7b74p-6f,
     0x1.1110f8p-7f,  -0x1.08dde6p-28f},
    {-0x1.914372p-62f, -0x1.9653aep-7f, -0x1.8a6304p-6f, -0x1.198dbap-5f, -0x1.5ea37cp-5f,
     -0x1.920a0ap-5f,  -0x1.b30feep-5f, -0x1.c295ccp-5f, -0x1.c2b89ap-5f, -0x1.b66078p-5f,
     -0x1.a0cb40p-5f,  -0x1.8525bcp-5f, -0x1.663fe4p-5f, -0x1.466090p-5f, -0x1.273652p-5f,
     -0x1.09defep-5f,  -0x1.ddfb0ap-6f, -0x1.adac54p-6f, -0x1.82d608p-6f, -0x1.5d2982p-6f,
     -0x1.3c2c0cp-6f,  -0x1.1f5220p-6f, -0x1.0610c6p-6f, -0x1.dfce96p-7f, -0x1.b8c73ap-7f,
     -0x1.9646c0p-7f,  -0x1.77a642p-7f, -0x1.5c595ap-7f, -0x1.43ea5ap-7f, -0x1.2df696p-7f,
     -0x1.1a2b22p-7f,  -0x1.084208p-7f},
    {-0x1.9a6704p-8f, -0x1.8e396cp-8f,  -0x1.6b1bfap-8f,  -0x1.3510d4p-8f, -0x1.e400a0p-9f,
     -0x1.5180bap-9f, -0x1.80295ap-10f, -0x1.d94f36p-12f, 0x1.a867b8p-12f, 0x1.182990p-10f,
     0x1.91f1b2p-10f, 0x1.db332ap-10f,  0x1.fb718ep-10f,  0x1.fbfee2p-10f, 0x1.e654acp-10f,
     0x1.c2eaf0p-10f, 0x1.9895dap-10f,  0x1.6c567cp-10f,  0x1.417c50p-10f, 0x1.19f344p-10f,
     0x1.ed40ccp-11f, 0x1.af71c0p-11f,  0x1.7a11b2p-11f,  0x1.4c4e22p-11f, 0x1.252daap-11f,
     0x1.03b808p-11f, 0x1.ce1532p-12f,  0x1.9cc0aap-12f,  0x1.722596p-12f, 0x1.4d2f38p-12f,
     0x1.2cf93ep-12f, 0x1.10c7b8p-12f},
    {0x1.1dd892p-60f,  0x1.00c226p-13f,  0x1.e3c6a4p-13f,  0x1.484102p-12f,  0x1.7bcae6p-12f,
     0x1.8a5c80p-12f,  0x1.7723a0p-12f,  0x1.4967b6p-12f,  0x1.0ab760p-12f,  0x1.89f2a0p-13f,
     0x1.019f10p-13f,  0x1.1241ccp-14f,  0x1.3ea2bcp-16f,  -0x1.fd5ab2p-17f, -0x1.3cdc6cp-15f,
     -0x1.a82c7cp-15f, -0x1.d46148p-15f, -0x1.d4a294p-15f, -0x1.b98deep-15f, -0x1.90098cp-15f,
     -0x1.61251cp-15f, -0x1.329c64p-15f, -0x1.079d78p-15f, -0x1.c32640p-16f, -0x1.819de4p-16f,
     -0x1.4a0f40p-16f, -0x1.1b5a0cp-16f, -0x1.e86a5ep-17f, -0x1.a6c8c2p-17f, -0x1.6f9facp-17f,
     -0x1.411602p-17f, -0x1.19a5a6p-17f},
    {0x1.05ee0ep-15f,  0x1.ed300ep-16f,  0x1.969712p-16f,  0x1.170a6ep-16f,  0x1.073668p-17f,
     -0x1.a67b4ap-21f, -0x1.0ff440p-17f, -0x1.bf741ap-17f, -0x1.0f4e8ep-16f, -0x1.18ea28p-16f,
     -0x1.0420f0p-16f, -0x1.b696eep-17f, -0x1.51ed92p-17f, -0x1.d80c98p-18f, -0x1.2287b8p-18f,
     -0x1.215a7ap-19f, -0x1.31a992p-21f, 0x1.fe3fb4p-22f,  0x1.2133a8p-20f,  0x1.6b6c92p-20f,
     0x1.7b76c6p-20f,  0x1.68f7f4p-20f,  0x1.451b62p-20f,  0x1.1b17ecp-20f,  0x1.e2ffd8p-21f,
     0x1.974b6ep-21f,  0x1.559eeep-21f,  0x1.1e3750p-21f,  0x1.e06256p-22f,  0x1.947b08p-22f,
     0x1.560478p-22f,  0x1.228c2ep-22f},
};
// Error 2^-24.0.
alignas(64) constexpr float kNormalTailPieces[][32] = {
    {0x1.0bdb2ep-2f, 0x1.d898dep-3f, 0x1.a57056p-3f, 0x1.7b5abep-3f, 0x1.5845dcp-3f, 0x1.3aaddep-3f,
     0x1.217252p-3f, 0x1.0bb968p-3f, 0x1.f1b89ap-4f, 0x1.b396f8p-4f, 0x1.82b4bcp-4f, 0x1.5b5accp-4f,
     0x1.3b0fbcp-4f, 0x1.201faap-4f, 0x1.095608p-4f, 0x1.eba5fep-5f, 0x1.c9e120p-5f, 0x1.926972p-5f,
     0x1.66ccb8p-5f, 0x1.43a38ap-5f, 0x1.26b4d0p-5f, 0x1.0e7dcep-5f, 0x1.f3ddc2p-6f, 0x1.d087aep-6f,
     0x1.000000p-1f, 0x1.d0af2cp-2f, 0x1.a7f808p-2f, 0x1.84b706p-2f, 0x1.66027ap-2f, 0x1.4b1de2p-2f,
     0x1.337024p-2f, 0x1.1e7c2ep-2f},
    {-0x1.1951c2p-3f, -0x1.c49278p-4f, -0x1.71bfdep-4f, -0x1.32536ep-4f, -0x1.00f9aap-4f,
     -0x1.b4058ap-5f, -0x1.75ab36p-5f, -0x1.432af8p-5f, -0x1.19cdacp-5f, -0x1.b6022ep-6f,
     -0x1.5cf8b6p-6f, -0x1.1be252p-6f, -0x1.d6145ep-7f, -0x1.8b18fcp-7f, -0x1.506888p-7f,
     -0x1.21ae6cp-7f, -0x1.f7d2cap-8f, -0x1.86b6d8p-8f, -0x1.378060p-8f, -0x1.fbf1f4p-9f,
     -0x1.a5da40p-9f, -0x1.63cf78p-9f, -0x1.301274p-9f, -0x1.06cd9cp-9f, -0x1.98842cp-2f,
     -0x1.5e6e52p-2f, -0x1.2e863cp-2f, -0x1.06bfa0p-2f, -0x1.cb0612p-3f, -0x1.93233ap-3f,
     -0x1.63e062p-3f, -0x1.3baf4cp-3f},
    {0x1.fc8438p-5f,  0x1.7b4f06p-5f,  0x1.2024aap-5f,  0x1.bd21bap-6f,  0x1.5d17c2p-6f,
     0x1.1599dcp-6f,  0x1.bf22a4p-7f,  0x1.6c4e0cp-7f,  0x1.2bb6d4p-7f,  0x1.a246eep-8f,
     0x1.2da860p-8f,  0x1.bf8098p-9f,  0x1.54070ap-9f,  0x1.07cd82p-9f,  0x1.a0d1d6p-10f,
     0x1.4e91b0p-10f, 0x1.1007d0p-10f, 0x1.75ca26p-11f, 0x1.0b3cfcp-11f, 0x1.8abac2p-12f,
     0x1.2b79bep-12f, 0x1.d0d2c8p-13f, 0x1.6fc24ep-13f, 0x1.27d6eep-13f, 0x1.ffecd8p-3f,
     0x1.a4d302p-3f,  0x1.5c4b9cp-3f,  0x1.2226e4p-3f,  0x1.e6753ep-4f,  0x1.9a3bf6p-4f,
     0x1.5bf064p-4f,  0x1.28b908p-4f},
    {-0x1.94f8c0p-6f,  -0x1.1b6780p-6f,  -0x1.949c36p-7f,  -0x1.262c34p-7f,  -0x1.b310fap-8f,
     -0x1.46cb50p-8f,  -0x1.f21506p-9f,  -0x1.80ae0cp-9f,  -0x1.277f86p-9f,  -0x1.76a104p-10f,
     -0x1.edc6e0p-11f, -0x1.5087f4p-11f, -0x1.d850f2p-12f, -0x1.5402c2p-12f, -0x1.f4a1e8p-13f,
     -0x1.77f010p-13f, -0x1.1965ccp-13f, -0x1.594da6p-14f, -0x1.bd7042p-15f, -0x1.2b5fbcp-15f,
     -0x1.a07bf8p-16f, -0x1.2a4148p-16f, -0x1.b5f2fap-17f, -0x1.488994p-17f, -0x1.0ea812p-3f,
     -0x1.ada310p-4f,  -0x1.5765e6p-4f,  -0x1.1454dep-4f,  -0x1.bfa2cap-5f,  -0x1.6cda84p-5f,
     -0x1.2b2fa0p-5f,  -0x1.ed8b16p-6f},
    {0x1.ebf1a0p-8f,  0x1.47dd62p-8f,  0x1.be1480p-9f,  0x1.3550d2p-9f,  0x1.b4ab04p-10f,
     0x1.396096p-10f, 0x1.c8c950p-11f, 0x1.51ba46p-11f, 0x1.b94a0cp-12f, 0x1.03dd0ap-12f,
     0x1.3f32eep-13f, 0x1.96c400p-14f, 0x1.0bad96p-14f, 0x1.6a77c4p-15f, 0x1.f75a68p-16f,
     0x1.656d2ep-16f, 0x1.bd523ap-17f, 0x1.f412dap-18f, 0x1.290a24p-18f, 0x1.71c612p-19f,
     0x1.decde2p-20f, 0x1.409144p-20f, 0x1.b9d4bep-21f, 0x1.3839a6p-21f, 0x1.c0df02p-5f,
     0x1.5a8d96p-5f,  0x1.0d73a4p-5f,  0x1.a5e188p-6f,  0x1.4c7664p-6f,  0x1.07adf8p-6f,
     0x1.a4da6ep-7f,  0x1.51e00ep-7f},
};

// table[1] + table[2] u + ... of the piece, by Horner's rule; rows before `First` are not part of
// it.
template <class Arch, std::size_t First, std::size_t Rows>
inline F32Of<Arch> piece_polynomial(const float (&table)[Rows][32], typename Simd<Arch>::I32 piece,
                                    F32Of<Arch> u) noexcept {
  using S = Simd<Arch>;
  F32Of<Arch> sum = S::look_up(table[Rows - 1], piece);
  for (std::size_t i = Rows - 1; i-- > First;) sum = S::fma(sum, u, S::look_up(table[i], piece));
  return sum;
}

// x f(|x|) with f = b + p(u) on the piece: b, a power of two, makes x b exact, so that what p
// rounds counts a third at most. Beyond `end`, in the last piece, the value at the end. NaN gives
// NaN.
template <class Arch, std::size_t Rows>
inline F32Of<Arch> odd_by_pieces(F32Of<Arch> x, float end, float pieces_per_unit,
                                 const float (&table)[Rows][32]) noexcept {
  using S = Simd<Arch>;
  const F32Of<Arch> v = S::min(S::set(end), S::max(S::set(-end), x));
  const F32Of<Arch> a = S::abs(v);
  // Adding 1.5 * 2^23 rounds to the nearest integer and leaves it in the lowest bits.
  const F32Of<Arch> shift = S::set(0x1.8p23f);
  const F32Of<Arch> scale = S::set(pieces_per_unit);
  const F32Of<Arch> shifted = S::fma(a, scale, shift);
  const F32Of<Arch> u = S::fma(a, scale, shift - shifted);
  const typename S::I32 piece = S::float_to_bits(shifted);
  const F32Of<Arch> p = piece_polynomial<Arch, 1>(table, piece, u);
  return S::fma(v, p, v * S::look_up(table[0], piece));
}

// The ends lie where the result has rounded to 1 for good.
template <class Arch>
inline F32Of<Arch> tanh_by_pieces(F32Of<Arch> x) noexcept {
  return odd_by_pieces<Arch>(x, 9.25f, 3.375f, kTanhPieces);
}
template <class Arch>
inline F32Of<Arch> erf_by_pieces(F32Of<Arch> x) noexcept {
  return odd_by_pieces<Arch>(x, 4.0f, 7.75f, kErfPieces);
}

// normal_tail_ratio of math_simd.h for -15 < m <= 0: the pieces are eighths of the octaves of 1 -
// m, so that the upper bits of that float are their number.
template <class Arch>
inline F32Of<Arch> normal_tail_ratio_by_pieces(F32Of<Arch> m) noexcept {
  using S = Simd<Arch>;
  using I32 = typename S::I32;
  const F32Of<Arch> t = S::set(1.0f) - m;
  const I32 bits = S::float_to_bits(t);
  const F32Of<Arch> left = S::bits_to_float(bits & I32(~0xFFFFF));
  return piece_polynomial<Arch, 0>(kNormalTailPieces, bits >> 20, t - left);
}

}  // namespace
}  // namespace glassgpt::kernels
